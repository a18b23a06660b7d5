import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { idOf, kindOf } from '../support/answers.ts';
import { connect } from '../support/client.ts';
import { command } from '../support/process.ts';
import { kits } from '../support/providers.ts';
import { fresh } from '../consent/cases.ts';
import { blocksIn, folder, run } from './page.ts';

const backupLine = blocksIn('sh').find((script) => script.startsWith('node ')) ?? '';

describe.each(kits)('a store of $title that is restored from a backup', (kit) => {
  it('leads to no second customer, as the page says', async () => {
    const root = folder();
    const file = join(root, 'customers.sqlite');
    const [backup, store] = [join(root, 'backup.sqlite'), `sqlite:${file}`];
    const { standIn, environment } = await kit.start();
    onTestFinished(() => standIn.close());
    const settings = { ...environment, CUSTOMERS_STORE: store };
    const [earlier, later, lost] = [fresh(kit), fresh(kit), fresh(kit)];

    const server = await connect(settings);
    const id = idOf(await server.call('create_customer', earlier.fields));
    standIn.fault({ on: 'create', act: 'reset' });
    const open = await server.call('create_customer', lost.fields);
    // While the server runs.
    const script = backupLine
      .replace('/var/lib/customers-mcp/customers.sqlite', file)
      .replace('/var/backups/customers.sqlite', backup)
      .replace(/^node/, `"${process.execPath}"`);
    await run('/bin/sh', ['-euc', script]);
    const laterId = idOf(await server.call('create_customer', later.fields));
    await server.close();

    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
    cpSync(backup, file);
    const { stdout } = await command(['doctor', '--settle', '--json'], settings);
    if (kindOf(open) === 'outcome_unknown') expect(stdout).toContain(lost.id);

    const restored = await connect(settings);
    onTestFinished(() => restored.close());
    const again = await restored.call('create_customer', earlier.fields);
    expect([kindOf(again), idOf(again)]).toEqual(['existing', id]);
    const before = standIn.customers.size;
    const repeated = await restored.call('create_customer', later.fields);
    if (kit.keepsExternalId) {
      expect([kindOf(repeated), idOf(repeated)]).toEqual(['existing', laterId]);
    } else {
      expect(kindOf(repeated)).toBe('possible_duplicate');
      const link = { external_id: later.id, customer_id: laterId };
      expect(kindOf(await restored.call('link_customer', link))).toBe('linked');
      expect(kindOf(await restored.call('create_customer', later.fields))).toBe('existing');
    }
    expect(standIn.customers.size).toBe(before);
  });
});
