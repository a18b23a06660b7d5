import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRecord } from '../../src/text.ts';
import { temporaryStore } from '../support/client.ts';
import { eventsIn, message } from '../support/http.ts';
import { FORMS, headersFor, questionIn, stated } from '../support/modern.ts';
import { post, bearer } from '../support/http.ts';
import { parsed } from '../support/process.ts';
import { kits } from '../support/providers.ts';
import type { StandIn } from '../support/stand-in.ts';
import { sharedEngines } from '../support/stores.ts';
import { at, entries, serveTenants, tenantFile, tokenEntry, tokenOf, type TenantServer } from '../support/tenants.ts';

type Json = Record<string, unknown>;

/** The error's kind, or the outcome. */
function kindIn({ error, outcome }: Json): unknown {
  return isRecord(error) ? error['kind'] : outcome;
}

function textIn(value: unknown): string {
  return JSON.stringify(value);
}

describe.each(kits)('two businesses at $title with the same ids and the same people', (kit) => {
  const { store, remove } = temporaryStore();
  let standIns: StandIn[];
  let server: TenantServer;

  beforeAll(async () => {
    const accounts = await Promise.all([kit.start(), kit.start()]);
    standIns = accounts.map(({ standIn }) => standIn);
    const [acme, globex] = accounts.map(({ environment }) => environment);
    server = await serveTenants(
      entries({
        acme: { title: 'Acme LLC', CUSTOMERS_PROVIDER: kit.name, ...acme },
        globex: { title: 'Globex', CUSTOMERS_PROVIDER: kit.name, ...globex },
      }),
      { CUSTOMERS_STORE: store, CUSTOMERS_LOG: 'info' },
    );
  });
  afterAll(async () => {
    await server.end();
    await Promise.all(standIns.map((standIn) => standIn.close()));
    remove();
  });

  const fields = { ...kit.minimal('Noether Rings', 'emmy@noether.example'), [kit.externalIdField]: 'same-1' };

  it('have each a customer of their own, found only at their own address', async () => {
    const made = [];
    for (const tenant of ['acme', 'globex']) {
      const answer = await server.call(tenant, 'create_customer', fields);
      expect(answer, textIn(answer)).toMatchObject({ outcome: 'created', tenant });
      made.push(answer['customer_id']);
    }
    expect(standIns.map(({ customers }) => customers.size)).toEqual([1, 1]);
    for (const [index, tenant] of ['acme', 'globex'].entries()) {
      expect(await server.call(tenant, 'create_customer', fields)).toMatchObject({
        outcome: 'existing',
        customer_id: made[index],
      });
      expect(await server.call(tenant, 'get_customer', { [kit.externalIdField]: 'same-1' })).toMatchObject({
        customer_id: made[index],
        tenant,
      });
      const found = await server.call(tenant, 'search_customer', { find: 'noether rings' });
      expect(found['customers']).toMatchObject([{ customer_id: made[index] }]);
    }
  });

  it('keep what one of them remembers from the other', async () => {
    const only = { ...kit.minimal('Hilbert Hotels', 'david@hilbert.example'), [kit.externalIdField]: 'only-1' };
    expect(await server.call('acme', 'create_customer', only)).toMatchObject({ outcome: 'created' });
    const found = await server.call('globex', 'search_customer', { find: 'hilbert hotels' });
    expect(found['customers']).toEqual([]);
    expect(kindIn(await server.call('globex', 'get_customer', { [kit.externalIdField]: 'only-1' }))).toBe('not_found');
    // Neither does its email make a duplicate there.
    const other = { ...only, [kit.externalIdField]: 'only-2' };
    expect(await server.call('globex', 'create_customer', other)).toMatchObject({ outcome: 'created' });
  });

  it('are named to the client, in the server, its instructions and its log', async () => {
    const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    const { json } = await at(server, 'acme', message('initialize', hello));
    expect(json['result']).toMatchObject({
      serverInfo: { title: expect.stringContaining('Acme LLC') },
      instructions: expect.stringContaining('Acme LLC'),
    });
    expect(textIn(json)).not.toContain('Globex');
    const list = textIn((await at(server, 'acme', message('tools/list'))).json);
    expect(list).toContain('"tenant":{"type":"string"}');
    const lines = server.stderr().split('\n').map(parsed).filter(isRecord);
    const calls = lines.filter(({ event }) => event === 'call');
    expect(new Set(calls.map(({ tenant }) => tenant))).toEqual(new Set(['acme', 'globex']));
    for (const { tenant, caller } of calls) expect(caller).toBe(`${String(tenant)}/token`);
  });

  it.runIf(kit.archive.outcome === 'deleted')('need consent of their own, which says for whom it is', async () => {
    const send = async (tenant: string, args: Json, more: Json = {}, capabilities: Json = FORMS): Promise<Json> => {
      const params = stated({ name: 'archive_customer', arguments: args, ...more }, capabilities);
      const headers = { ...bearer(tokenOf(tenant)), ...headersFor('tools/call', params) };
      const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
      const { json } = await post(server, body, { path: `/mcp/${tenant}`, headers });
      return isRecord(json['result']) ? json['result'] : json;
    };
    const args = { [kit.externalIdField]: 'same-1' };
    const question = questionIn(await send('acme', args));
    expect(question.message).toMatch(/^For Acme LLC: /);
    const yes = {
      requestState: question.state,
      inputResponses: { [question.key]: { action: 'accept', content: { confirm: true } } },
    };
    expect(await send('globex', args, yes)).toMatchObject({ error: { code: -32602 } });

    const error = (await server.call('acme', 'archive_customer', args))['error'];
    const confirm = isRecord(error) ? error['confirm'] : undefined;
    expect(confirm).toEqual(expect.any(String));
    expect(kindIn(await server.call('globex', 'archive_customer', { ...args, confirm }))).toBe('confirmation_required');
    expect(standIns.map(({ count }) => count('archive') + count('delete'))).toEqual([0, 0]);
    expect(await server.call('acme', 'archive_customer', { ...args, confirm })).toMatchObject({ outcome: 'deleted' });
    expect(await server.call('globex', 'get_customer', args)).toMatchObject({ tenant: 'globex' });
  });
});

describe.each(sharedEngines)('replicas on $name', ({ name, address }) => {
  it('keep the tenants of a simulation apart, and agree on each', async () => {
    const { store, remove } = temporaryStore();
    const content = entries({
      [`acme-${process.pid}`]: { CUSTOMERS_PROVIDER: 'dayzero', CUSTOMERS_SANDBOX: true },
      [`globex-${process.pid}`]: { CUSTOMERS_PROVIDER: 'dayzero', CUSTOMERS_SANDBOX: true },
    });
    const environment = { CUSTOMERS_STORE: name === 'sqlite' ? store : address };
    const servers = await Promise.all([serveTenants(content, environment), serveTenants(content, environment)]);
    const id = `same-${Date.now()}`;
    const ids = new Map<string, unknown>();
    for (const tenant of Object.keys(content)) {
      const answers = await Promise.all(
        servers.map((server) =>
          server.call(tenant, 'create_customer', {
            external_id: id,
            name: `Noether ${id}`,
            email: `${id}@noether.example`,
          }),
        ),
      );
      expect(answers.map(kindIn).toSorted()).toEqual(['created', 'existing']);
      const [first, second] = answers.map(({ customer_id }) => customer_id);
      expect(first).toBe(second);
      ids.set(tenant, first);
    }
    expect(new Set(ids.values()).size).toBe(2);
    await Promise.all(servers.map((server) => server.end()));
    remove();
  });
});

describe('the trouble of one tenant', () => {
  const [kit] = kits;
  if (!kit) throw new Error('no provider');

  it('is its own: a caller over its rate waits, while others go on', async () => {
    const simulated = { CUSTOMERS_PROVIDER: kit.name, CUSTOMERS_SANDBOX: true };
    const server = await serveTenants(entries({ acme: simulated, globex: simulated }), { CUSTOMERS_HTTP_RATE: '20' });
    const list = message('tools/list');
    const replies = await Promise.all(Array.from({ length: 30 }, () => at(server, 'acme', list)));
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused.length).toBe(10);
    for (const { headers } of refused) expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect((await at(server, 'globex', list)).status).toBe(200);
    // The rows of an import count.
    const rows = Array.from({ length: 25 }, (_, n) => ({
      ...kit.minimal(`Firm ${n}`, `f${n}@firm.example`),
      [kit.externalIdField]: `r-${n}`,
    }));
    const all = await at(server, 'globex', message('tools/call', { name: 'import_customers', arguments: { rows } }));
    expect(all.status).toBe(429);
    await server.end();
  });

  it('is its own: while its provider hangs and its calls pile up, others are answered', async () => {
    const { standIn, environment } = await kit.start();
    const server = await serveTenants({
      ...entries({
        acme: { CUSTOMERS_PROVIDER: kit.name, ...environment },
        globex: { CUSTOMERS_PROVIDER: kit.name, CUSTOMERS_SANDBOX: true },
      }),
    });
    standIn.fault({ on: 'get', act: 'hang', times: Infinity });
    const get = message('tools/call', { name: 'get_customer', arguments: { customer_id: 'c-1' } });
    const piled = Array.from({ length: 200 }, () => at(server, 'acme', get).catch(() => undefined));
    await expect.poll(() => standIn.count('get')).toBeGreaterThan(10);
    expect((await at(server, 'acme', get)).status).toBe(503);
    for (let n = 0; n < 5; n += 1) expect((await at(server, 'globex', get)).status).toBe(200);
    server.kill();
    await Promise.all(piled);
    await standIn.close();
    await server.end();
  });

  it('is its own: while the provider of many tenants hangs, those of another are answered', async () => {
    const { standIn, environment } = await kit.start();
    const many = Array.from({ length: 8 }, (_, n) => [`t-${n}`, { CUSTOMERS_PROVIDER: kit.name, ...environment }]);
    const simulated = { CUSTOMERS_PROVIDER: kit.name, CUSTOMERS_SANDBOX: true };
    const server = await serveTenants(entries({ ...Object.fromEntries(many), globex: simulated }));
    standIn.fault({ on: 'get', act: 'hang', times: Infinity });
    const get = message('tools/call', { name: 'get_customer', arguments: { customer_id: 'c-1' } });
    const names = many.map(([name]) => String(name));
    let refused = 0;
    const piled = names.flatMap((name) =>
      Array.from({ length: 130 }, async () => {
        const reply = await at(server, name, get).catch(() => undefined);
        if (reply?.status === 503) refused += 1;
      }),
    );
    await expect.poll(() => refused, { timeout: 10_000 }).toBeGreaterThan(8 * 130 - 550);
    for (let n = 0; n < 5; n += 1) expect((await at(server, 'globex', get)).status).toBe(200);
    server.kill();
    await Promise.all(piled);
    await standIn.close();
    await server.end();
  }, 20_000);

  it('is its own: a wrong key is an error of its calls alone', async () => {
    const { standIn, environment } = await kit.start();
    const wrong = { ...environment, [kit.settings.secret]: 'wrong' };
    const server = await serveTenants(
      entries({
        acme: { CUSTOMERS_PROVIDER: kit.name, ...wrong },
        globex: { CUSTOMERS_PROVIDER: kit.name, ...environment },
      }),
    );
    expect(kindIn(await server.call('acme', 'search_customer'))).toBe('unauthorized');
    expect(await server.call('globex', 'search_customer')).toMatchObject({ customers: [] });
    await standIn.close();
    await server.end();
  });
});

describe('the file of tenants, at SIGHUP', () => {
  const simulated = { CUSTOMERS_PROVIDER: 'layer', CUSTOMERS_SANDBOX: true };

  it('is read again with the files of secrets that it names', async () => {
    const [kit] = kits;
    if (!kit) throw new Error('no provider');
    const { standIn, environment } = await kit.start();
    const secret = tenantFile('wrong');
    const { [kit.settings.secret]: right = '', ...others } = environment;
    const acme = { CUSTOMERS_PROVIDER: kit.name, ...others, [`${kit.settings.secret}_FILE`]: secret.path };
    const server = await serveTenants(entries({ acme }));
    expect(kindIn(await server.call('acme', 'search_customer'))).toBe('unauthorized');
    secret.write(right);
    server.kill('SIGHUP');
    await expect.poll(() => server.stderr()).toContain('the tenants were reloaded');
    expect(await server.call('acme', 'search_customer')).toMatchObject({ customers: [] });
    secret.remove();
    await standIn.close();
    await server.end();
  });

  it('is read again: tenants come and go, tokens rotate, and no call is dropped', async () => {
    const [kit] = kits;
    if (!kit) throw new Error('no provider');
    const { standIn, environment } = await kit.start();
    const acme = { CUSTOMERS_PROVIDER: kit.name, ...environment };
    const server = await serveTenants(entries({ acme, old: simulated }));
    standIn.fault({ on: '*', act: { delayMs: 600 }, times: 1 });
    const running = server.call('acme', 'search_customer');
    await expect.poll(() => standIn.requests.length).toBeGreaterThan(0);
    server.file.write({
      acme: { ...acme, title: 'Acme LLC', tokens: [tokenEntry(tokenOf('acme')), tokenEntry(tokenOf('second'))] },
      fresh: { ...simulated, tokens: [tokenEntry(tokenOf('fresh'))] },
    });
    server.kill('SIGHUP');
    await expect.poll(() => server.stderr()).toContain('the tenants were reloaded');
    expect(await running).toMatchObject({ customers: [] });
    const list = message('tools/list');
    expect((await at(server, 'fresh', list)).status).toBe(200);
    expect((await at(server, 'acme', list, tokenOf('second'))).status).toBe(200);
    expect((await at(server, 'old', list)).status).toBe(401);

    server.file.write(entries({ acme: { ...acme, CUSTOMERS_TIMEOUT_MS: 1 } }));
    server.kill('SIGHUP');
    await expect.poll(() => server.stderr()).toMatch(/not reloaded.*\n.*Tenant "acme": CUSTOMERS_TIMEOUT_MS/);
    expect((await at(server, 'fresh', list)).status).toBe(200);
    expect(await server.stop()).toMatchObject({ code: 0 });
    await standIn.close();
    await server.end();
  });
});

it('a thousand tenants in the file are connected when they are called, and events reach only their caller', async () => {
  const names = Array.from({ length: 1_000 }, (_, n) => `t-${n}`);
  const server = await serveTenants(
    entries(Object.fromEntries(names.map((name) => [name, { CUSTOMERS_PROVIDER: 'layer', CUSTOMERS_SANDBOX: true }]))),
  );
  for (const name of ['t-0', 't-500', 't-999']) {
    const rows = Array.from({ length: 12 }, (_, n) => ({ external_id: `i-${n}`, company_name: `No ${n} of ${name}` }));
    const call = message('tools/call', {
      name: 'import_customers',
      arguments: { rows },
      _meta: { progressToken: name },
    });
    const events = eventsIn(await at(server, name, call));
    expect(events.at(-1)).toMatchObject({ result: { structuredContent: { counts: { created: 12 }, tenant: name } } });
    for (const event of events.slice(0, -1)) expect(event).toMatchObject({ params: { progressToken: name } });
  }
  await server.end();
});
