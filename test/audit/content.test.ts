import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { idOf, kindOf } from '../support/answers.ts';
import { connect, temporaryStore, type Environment, type ToolResult } from '../support/client.ts';
import { TOKEN } from '../support/http.ts';
import { answerIn, overEach, plainCall, questionIn } from '../support/modern.ts';
import { SANDBOX } from '../support/process.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { destructive, fresh } from '../consent/cases.ts';
import { linesIn, trail } from './trail.ts';

const EXTERNAL_ID = 'canary-own-id-77';

/** Every text in a customer. */
function canaries(customer: unknown): string[] {
  if (typeof customer === 'string') return customer.length > 3 ? [customer] : [];
  return typeof customer === 'object' && customer !== null ? Object.values(customer).flatMap(canaries) : [];
}

/** Creates, updates, clears, archives, imports and searches, with words that must not be recorded. */
async function useAll(
  kit: ProviderKit,
  call: (tool: string, args: Record<string, unknown>) => Promise<ToolResult>,
): Promise<{ readonly id: string; readonly secrets: readonly string[] }> {
  const { externalIdField, change, clear } = kit;
  const [customer, imported] = [kit.customer(1), kit.customer(2)];
  const id = idOf(await call('create_customer', { ...customer, [externalIdField]: EXTERNAL_ID }));
  const update = { [change.field]: change.value, clear: [clear.field] };
  expect(kindOf(await call('update_customer', { customer_id: id, ...update }))).toBe('updated');
  await call('search_customer', { find: 'canary' });
  await call('get_customer', { customer_id: id });
  // Agents pass anything as an id.
  await call('update_customer', { customer_id: 'canary@person.example', ...update });
  await call('archive_customer', { customer_id: 'Canary Person' });
  await call('import_customers', { rows: [{ ...imported, [externalIdField]: 'canary-row-1' }, { nonsense: 1 }] });
  await call('archive_customer', { [externalIdField]: EXTERNAL_ID });
  const typed = [EXTERNAL_ID, 'canary-row-1', 'canary@person.example', 'Canary Person', change.value];
  return { id, secrets: [...canaries(customer), ...canaries(imported), ...typed, ...kit.secrets, TOKEN] };
}

describe.each(kits)('the audit trail of $title', (kit) => {
  it.each(overEach)('over %s names what was written and holds no customer data', async (transport, open) => {
    const { path, environment, text, lines } = trail();
    const { standIn, environment: account } = await kit.start();
    onTestFinished(() => standIn.close());
    const client = await open({ ...account, ...environment, CUSTOMERS_CONFIRM: 'never' });
    const { id, secrets } = await useAll(kit, (tool, args) => plainCall(client, tool, args));

    const { change, clear, externalIdField } = kit;
    const common = { event: 'write', provider: kit.name };
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(lines()).toEqual(
      [
        {
          tool: 'create_customer',
          customer_id: id,
          external_id_hash: hash,
          outcome: 'created',
          fields: Object.keys(kit.customer(1)).filter((field) => field !== externalIdField),
        },
        { tool: 'update_customer', customer_id: id, outcome: 'updated', fields: expect.any(Array) },
        { tool: 'update_customer', error: expect.any(String), fields: [change.field, clear.field] },
        { tool: 'archive_customer', error: expect.any(String), fields: [] },
        { tool: 'import_customers', row: 1, outcome: 'created', external_id_hash: hash },
        { tool: 'archive_customer', customer_id: id, external_id_hash: hash, outcome: kit.archive.outcome },
      ].map((line) => expect.objectContaining({ ...common, ...line })),
    );
    expect(lines().map(({ request_id }) => typeof request_id)).toEqual(Array(6).fill('number'));
    expect(lines().map(({ caller }) => caller !== undefined)).toEqual(Array(6).fill(transport === 'HTTP'));
    const [created, updated, , , , archived] = lines();
    expect(updated?.fields?.toSorted()).toEqual([change.field, clear.field].toSorted());
    // Lines about one external id can be found by its hash, from which the id cannot be guessed.
    expect(archived?.external_id_hash).toBe(created?.external_id_hash);
    for (const plain of [EXTERNAL_ID, `${kit.name}${EXTERNAL_ID}`])
      expect(created?.external_id_hash).not.toBe(createHash('sha256').update(plain).digest('hex'));
    expect(secrets.filter((secret) => text().includes(secret))).toEqual([]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(client.stderr()).not.toContain('"audit"');
    await client.close();
  });
});

describe.each(destructive)('the audit trail of $title', ({ kit, tool, outcome, prepare }) => {
  async function started(settings: Environment) {
    const { standIn, environment } = await kit.start();
    onTestFinished(() => standIn.close());
    return { standIn, environment: { ...environment, ...settings } };
  }

  it.each([
    ['accepted', { action: 'accept' as const, content: { confirm: true } }],
    ['declined', { action: 'decline' as const }],
    ['cancelled', { action: 'cancel' as const }],
    ['unchecked', { action: 'accept' as const, content: { confirm: false } }],
  ])('records a consent that was %s', async (consent, answer) => {
    const { environment: settings, lines } = trail();
    const { standIn, environment } = await started(settings);
    const server = await connect(environment, { onElicit: () => answer });
    onTestFinished(() => server.close());
    const { args } = await prepare(server.call, standIn);
    await server.call(tool, args);
    const [asked, write] = lines().slice(-2);
    expect(asked).toMatchObject({ event: 'consent', tool, outcome: consent });
    const end = consent === 'accepted' ? { outcome } : { error: 'confirmation_required' };
    expect(write).toMatchObject({ event: 'write', tool, write_id: asked?.write_id, ...end });
  });

  it('records a value that was sent back as confirmed', async () => {
    const { environment: settings, lines } = trail();
    const { standIn, environment } = await started(settings);
    const server = await connect(environment);
    onTestFinished(() => server.close());
    const { args } = await prepare(server.call, standIn);
    const asked = await server.call(tool, args);
    expect(lines().at(-1)).toMatchObject({ event: 'write', error: 'confirmation_required' });
    const error = asked.data['error'];
    const confirm = typeof error === 'object' && error !== null && 'confirm' in error ? error.confirm : undefined;
    await server.call(tool, { ...args, confirm });
    expect(lines().slice(-2)).toMatchObject([
      { event: 'consent', outcome: 'confirmed' },
      { event: 'write', outcome },
    ]);
  });

  it.each(overEach)('records an answer that came in a round trip over %s', async (_, open) => {
    const { environment: settings, lines } = trail();
    const { standIn, environment } = await started(settings);
    const client = await open(environment);
    const { args } = await prepare((name, given) => plainCall(client, name, given), standIn);
    const { key, state } = questionIn(await client.call(tool, args));
    expect(lines().at(-1)).toMatchObject({ event: 'write', error: 'confirmation_required' });
    const yes = { [key]: { action: 'accept', content: { confirm: true } } };
    const done = answerIn(await client.call(tool, args, { requestState: state, inputResponses: yes }));
    expect(kindOf(done)).toBe(outcome);
    expect(lines().slice(-2)).toMatchObject([
      { event: 'consent', outcome: 'accepted' },
      { event: 'write', outcome },
    ]);
    await client.close();
  });
});

describe('the audit trail', () => {
  const [kit] = kits;

  it('goes to stderr beside the log', async () => {
    const server = await connect({ ...SANDBOX, CUSTOMERS_AUDIT: 'stderr', CUSTOMERS_LOG: 'silent' });
    await server.call('create_customer', kit ? fresh(kit).fields : {});
    const own = server
      .stderr()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    expect(linesIn(own.join('\n'))).toMatchObject([{ event: 'write', outcome: 'created', sandbox: true }]);
    await server.close();
  });

  it('has the same hash for an external id on every server of a store, and another on another store', async () => {
    const { environment, lines } = trail();
    const [one, other] = [temporaryStore(), temporaryStore()];
    for (const { store } of [one, one, other]) {
      const server = await connect({ ...SANDBOX, CUSTOMERS_STORE: store, ...environment });
      await server.call('create_customer', { company_name: 'Hashes', external_id: 'own-1' });
      await server.close();
    }
    const [first, second, third] = lines().map((line) => line.external_id_hash);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    one.remove();
    other.remove();
  });

  it('records an intent first if it is required', async () => {
    const { required, lines } = trail();
    const server = await connect({ ...SANDBOX, ...required });
    await server.call('create_customer', { company_name: 'First', external_id: 'own-1' });
    await server.call('import_customers', { rows: [{ company_name: 'Second', external_id: 'own-2' }] });
    await server.close();
    expect(lines().map(({ event, tool, row, outcome }) => [event, tool, row, outcome])).toEqual([
      ['intent', 'create_customer', undefined, undefined],
      ['write', 'create_customer', undefined, 'created'],
      ['intent', 'import_customers', 1, undefined],
      ['write', 'import_customers', 1, 'created'],
    ]);
    const [intent, write, ofRow] = lines();
    expect(write?.write_id).toBe(intent?.write_id);
    expect(ofRow?.write_id).not.toBe(intent?.write_id);
    expect(intent?.fields).toEqual(['company_name']);
  });
});
