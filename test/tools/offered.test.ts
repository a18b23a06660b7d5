import { describe, expect, it, onTestFinished } from 'vitest';
import { toolNames } from '../../src/tools/index.ts';
import { idOf, kindOf } from '../support/answers.ts';
import { connect, type Connection } from '../support/client.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { SANDBOX } from '../support/process.ts';
import type { StandIn } from '../support/stand-in.ts';

/** A server that offers these tools only, and another one on the same stand-in that offers all. */
async function servers(
  kit: ProviderKit,
  offered: readonly string[],
): Promise<{ standIn: StandIn; some: Connection; all: Connection }> {
  const { standIn, environment } = await kit.start();
  const some = await connect({ ...environment, CUSTOMERS_TOOLS: offered.join(',') });
  const all = await connect(environment);
  onTestFinished(async () => {
    await Promise.all([some.close(), all.close()]);
    await standIn.close();
  });
  return { standIn, some, all };
}

function namesOnly(offered: readonly string[], text: string): void {
  for (const name of toolNames.filter((tool) => !offered.includes(tool))) expect(text).not.toContain(name);
}

describe.each(kits)('$title names only tools that are offered', (kit) => {
  const { externalIdField: id, minimal, change } = kit;
  const one = { ...minimal('Noether Rings', 'emmy@noether.example'), [id]: 'o-1' };

  it('when only customers are read by id', async () => {
    const offered = ['get_customer'];
    const { standIn, some, all } = await servers(kit, offered);
    for (const args of [{ customer_id: '00000000-0000-4000-8000-000000000000' }, { [id]: 'none' }]) {
      const answer = await some.call('get_customer', args);
      expect(kindOf(answer)).toBe('not_found');
      expect(answer.text).toMatch(/Ask the user|Check the id/);
      expect((await all.call('get_customer', args)).text).toContain('search_customer with find');
      namesOnly(offered, answer.text);
    }
    standIn.fault({ on: 'get', act: 'html', times: Infinity });
    namesOnly(offered, (await some.call('get_customer', { customer_id: 'c-1' })).text);
  });

  it('when only creates are offered: a duplicate, a lost answer, a conflict', async () => {
    const offered = ['create_customer'];
    const { standIn, some, all } = await servers(kit, offered);
    expect(kindOf(await all.call('create_customer', one))).toBe('created');
    const twin = await some.call('create_customer', { ...one, [id]: 'o-2' });
    expect(kindOf(twin)).toBe('possible_duplicate');
    expect(twin.text).toMatch(/do not create it again.*\n.*customer_id/);
    namesOnly(offered, twin.text);
    const clash = await some.call('create_customer', {
      ...minimal('Hilbert Hotels', 'david@hilbert.example'),
      [id]: 'o-1',
      [change.field]: change.value,
    });
    namesOnly(offered, clash.text);
    standIn.fault({ on: 'create', act: 'reset', times: Infinity });
    const lost = await some.call('create_customer', { ...minimal('Lost', 'lost@lost.example'), [id]: 'o-3' });
    expect(lost.isError).toBe(true);
    namesOnly(offered, lost.text);
  });

  it('when only updates are offered: another customer, a lost answer', async () => {
    const offered = ['update_customer'];
    const { standIn, some, all } = await servers(kit, offered);
    const customer_id = idOf(await all.call('create_customer', one));
    namesOnly(
      offered,
      (await some.call('update_customer', { customer_id: 'none', [change.field]: change.value })).text,
    );
    standIn.fault({ on: 'update', act: 'reset', times: Infinity });
    const lost = await some.call('update_customer', { customer_id, [change.field]: change.value });
    expect(kindOf(lost)).toBe('outcome_unknown');
    namesOnly(offered, lost.text);
  });

  it('when only rows are imported: a duplicate, a lost answer', async () => {
    const offered = ['import_customers'];
    const { standIn, some, all } = await servers(kit, offered);
    expect(kindOf(await all.call('create_customer', one))).toBe('created');
    const twin = await some.call('import_customers', { rows: [{ ...one, [id]: 'o-2' }] });
    expect(twin.text).toContain('possible_duplicate');
    namesOnly(offered, twin.text);
    standIn.fault({ on: 'create', act: 'reset', times: Infinity });
    const rows = [{ ...minimal('Lost', 'lost@lost.example'), [id]: 'o-3' }];
    for (const again of [1, 2]) {
      const lost = await some.call('import_customers', { rows });
      expect(lost.text, String(again)).toMatch(/outcome_unknown|in_progress/);
      namesOnly(offered, lost.text);
    }
  });

  it('in its warnings: an answer without an id, an archived customer', async () => {
    const { standIn, some, all } = await servers(kit, ['create_customer', 'import_customers']);
    const offered = ['create_customer', 'import_customers'];
    standIn.fault({ on: 'create', act: 'no-id' });
    const odd = await some.call('create_customer', minimal('Odd', 'odd@odd.example'));
    namesOnly(offered, odd.text);
    const customer_id = idOf(await all.call('create_customer', one));
    await all.call('archive_customer', { customer_id });
    namesOnly(offered, (await some.call('create_customer', one)).text);
    namesOnly(offered, (await some.call('import_customers', { rows: [one] })).text);
  });

  it('and so does everything that the server says of itself', async () => {
    const environment = { ...SANDBOX, CUSTOMERS_PROVIDER: kit.name };
    const all = await connect(environment);
    const names = (await all.client.listTools()).tools.map(({ name }) => name);
    const readOnly = names.filter((name) => /^(?:get|search)_/.test(name));
    const choices = [...names.map((name) => [name]), readOnly, names.filter((name) => name !== 'get_customer')];
    const servers = await Promise.all(
      choices.map((offered) => connect({ ...environment, CUSTOMERS_TOOLS: offered.join(',') })),
    );
    onTestFinished(async () => void (await Promise.all([all, ...servers].map((server) => server.close()))));
    for (const [index, { client }] of servers.entries()) {
      const text = JSON.stringify([
        client.getInstructions(),
        await client.listTools(),
        // Without the tools for them, there are no resources and no prompts.
        await client.readResource({ uri: `customers://${kit.name}/fields` }).catch(() => ''),
        await client.listPrompts().catch(() => ''),
      ]);
      namesOnly(choices[index] ?? [], text);
    }
  }, 30_000);
});
