import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isRecord } from '../../src/text.ts';
import { connect, errorOf, standIns, type Connection, type Environment, type ToolResult } from '../support/client.ts';
import { providerContract } from '../support/provider-contract.ts';
import {
  LAYER_ACCESS_TOKEN,
  LAYER_BUSINESS_ID,
  LAYER_CLIENT_ID,
  LAYER_CLIENT_SECRET,
} from '../support/stand-ins/layer.ts';
import { startRaw, type StandIn } from '../support/stand-ins/stand-in.ts';

type Fields = Readonly<Record<string, unknown>>;

providerContract({
  title: 'Layer',
  start: () => standIns.layer({ tokenUses: Infinity }),
  secrets: [
    LAYER_CLIENT_SECRET,
    encodeURIComponent(LAYER_CLIENT_SECRET),
    Buffer.from(`${LAYER_CLIENT_ID}:${LAYER_CLIENT_SECRET}`).toString('base64'),
  ],
  settings: { credentials: ['LAYER_CLIENT_ID', 'LAYER_CLIENT_SECRET'], address: 'LAYER_BASE_URL' },
  customersPath: `/v1/businesses/${LAYER_BUSINESS_ID}/customers`,
  customer: (n) => ({
    individual_name: `Grete Hermann ${n}`,
    company_name: `Hermann Optics ${n}`,
    email: `grete.${n}@hermann.example`,
    mobile_phone: `+49 151 555 ${n}`,
    office_phone: `+49 421 555 ${n}`,
    address_string: `Contrescarpe ${n}, 28195 Bremen`,
    notes: `Prefers to be called on day ${n}`,
    tags: [
      { key: 'department', value: `sales ${n}` },
      { key: 'region', value: 'north' },
    ],
  }),
  few: (n) => ({ company_name: `Noether Rings ${n}`, email: `emmy.${n}@noether.example` }),
  externalIdField: 'external_id',
  sendsExternalId: true,
  lookUp: 'list',
  read: 'get',
  again: 'updated',
  updateOperations: ['get', 'update'],
  change: { field: 'email', value: 'new@hermann.example', stored: ({ email }) => email },
  clear: { field: 'notes', stored: ({ memo }) => memo },
  rest: ({ email: _email, memo: _memo, transaction_tags: tags, ...rest }) => ({ ...rest, tags: tagsOf(tags) }),
  text: { field: 'address_string', stored: 'address_string' },
  archive: { operation: 'archive', outcome: 'archived', done: (document) => document?.status === 'ARCHIVED' },
  limitField: 'limit',
  cursorField: 'cursor',
  wrong: [
    { tool: 'create_customer', given: { email: 5 }, path: 'email' },
    { tool: 'create_customer', given: { company_name: { first: 'a' } }, path: 'company_name' },
    { tool: 'create_customer', given: { external_id: 7 }, path: 'external_id' },
    { tool: 'create_customer', given: { tags: 'vip' }, path: 'tags' },
    { tool: 'create_customer', given: { tags: [{ key: 'a' }] }, path: 'tags.0.value' },
    { tool: 'update_customer', given: { mobile_phone: 5 }, path: 'mobile_phone' },
    { tool: 'update_customer', given: { clear: ['external_id'] }, path: 'clear.0' },
    { tool: 'get_customer', given: { customer_id: 5 }, path: 'customer_id' },
    { tool: 'search_customer', given: { limit: 0 }, path: 'limit' },
    { tool: 'search_customer', given: { limit: '10' }, path: 'limit' },
    { tool: 'search_customer', given: { sort_order: 'UP' }, path: 'sort_order' },
    { tool: 'search_customer', given: { include_archived: 'yes' }, path: 'include_archived' },
  ],
  typo: { given: 'e_mail', meant: 'email' },
  refusal: (words) => ({ errors: [{ type: 'RequestError', description: words, error_enum: 'INVALID_REQUEST' }] }),
});

interface Scene {
  readonly standIn: StandIn;
  readonly server: Connection;
}

const scenes: Scene[] = [];

/** A server and its stand-in, until the end of the file. */
async function scene(
  options: Parameters<typeof standIns.layer>[0] = {},
  adapt: (environment: Environment) => Environment = (environment) => environment,
): Promise<Scene> {
  const { standIn, environment } = await standIns.layer(options);
  const opened = { standIn, server: await connect(adapt(environment)) };
  scenes.push(opened);
  return opened;
}

afterAll(async () => {
  await Promise.all(scenes.flatMap(({ server, standIn }) => [server.close(), standIn.close()]));
});

describe.concurrent('Layer’s tokens', () => {
  it('are fetched once for ten calls that start together', async () => {
    const { standIn, server } = await scene({ tokenUses: Infinity });
    const creates = Array.from({ length: 10 }, (_, n) => server.call('create_customer', grete(n)));
    expect((await Promise.all(creates)).map(({ isError }) => isError)).not.toContain(true);
    expect(standIn.count('token')).toBe(1);
    expect(standIn.customers.size).toBe(10);
    expect(standIn.requests[0]?.headers.authorization).toMatch(/^Basic /);
  });

  it('that run out are replaced unseen, for calls in turn and for ten at once', async () => {
    const { standIn, server } = await scene({ tokenUses: 3 });
    const { id } = await made(server, grete(1));
    const answers: ToolResult[] = [];
    for (let n = 0; n < 20; n += 1) answers.push(await server.call('get_customer', { customer_id: id }));
    for (let round = 0; round < 2; round += 1)
      answers.push(
        ...(await Promise.all(Array.from({ length: 10 }, () => server.call('get_customer', { customer_id: id })))),
      );
    expect(answers.map(({ isError, text }) => (isError ? text : 'fine'))).toEqual(answers.map(() => 'fine'));
    expect(standIn.count('token')).toBeGreaterThan(10);
  });

  it('that run out in the middle of an update or a create do no harm', async () => {
    const { standIn, server } = await scene({ tokenUses: 1 });
    const { id } = await made(server, grete(1));
    const update = await server.call('update_customer', { external_id: 'own-1', email: 'new@hermann.example' });
    expect(update.data, update.text).toMatchObject({ outcome: 'updated', customer_id: id });
    const again = await server.call('create_customer', { ...grete(1), email: 'newer@hermann.example' });
    expect(again.data, again.text).toMatchObject({ outcome: 'updated', customer_id: id });
    expect([...standIn.customers.values()]).toEqual([expect.objectContaining({ email: 'newer@hermann.example' })]);
  });

  it('are renewed before they run out', async () => {
    const { standIn, server } = await scene();
    // The stand-in never lets this one run out, so only the time that it says can bring another.
    const body = { access_token: LAYER_ACCESS_TOKEN, expires_in: 1, token_type: 'Bearer' };
    standIn.fault({ on: 'token', act: { status: 200, body } });
    const { id } = await made(server, grete(1));
    await pause(1_000);
    expect((await server.call('get_customer', { customer_id: id })).isError).toBe(false);
    expect(operationsOf(standIn)).toEqual(['token', 'create', 'token', 'get']);
  });

  it('that do not say how long they last are used on', async () => {
    const { standIn, server } = await scene();
    standIn.fault({ on: 'token', act: { status: 200, body: { access_token: LAYER_ACCESS_TOKEN } } });
    const { id } = await made(server, grete(1));
    for (let n = 0; n < 5; n += 1) await server.call('get_customer', { customer_id: id });
    expect(standIn.count('token')).toBe(1);
  });

  it('are asked for with the scope of the environment', async () => {
    const scope = 'https://api.layerfi.com/production';
    const { server } = await scene({ scope }, (environment) => ({ ...environment, LAYER_ENVIRONMENT: 'production' }));
    await made(server, grete(1));
  });

  it('that are refused even when fresh are an error after one renewal', async () => {
    const { standIn, server } = await scene();
    standIn.fault({ on: 'get', times: Infinity, act: { status: 401 } });
    const answer = await server.call('get_customer', { customer_id: 'x' });
    expect(errorOf(answer)).toMatchObject({ kind: 'unauthorized' });
    expect(operationsOf(standIn)).toEqual(['token', 'get', 'token', 'get']);
  });

  it('refused for a wrong secret name the settings, show neither, and nothing else is sent', async () => {
    const wrong = 'wr0ng:secret/with+odd=chars';
    const { standIn, server } = await scene({}, (environment) => ({
      ...environment,
      LAYER_CLIENT_SECRET: wrong,
      CUSTOMERS_LOG: 'debug',
    }));
    for (const answer of [
      await server.call('get_customer', { customer_id: 'x' }),
      await server.call('create_customer', grete(1)),
      await server.call('update_customer', { external_id: 'own-1', email: 'new@hermann.example' }),
    ]) {
      expect(errorOf(answer)).toMatchObject({ kind: 'unauthorized' });
      expect(answer.text).toContain('LAYER_CLIENT_ID');
      expect(answer.text).toContain('LAYER_CLIENT_SECRET');
      expect(answer.text).toContain('Wrong client id or secret');
      for (const secret of [wrong, Buffer.from(`${LAYER_CLIENT_ID}:${wrong}`).toString('base64')])
        expect(JSON.stringify(answer) + server.stderr()).not.toContain(secret);
    }
    expect(new Set(operationsOf(standIn))).toEqual(new Set(['token']));
  });

  it('made elsewhere are used as they are', async () => {
    const { standIn, server } = await scene({ tokenUses: 0 }, withToken(LAYER_ACCESS_TOKEN));
    const { id } = await made(server, grete(1));
    expect((await server.call('get_customer', { customer_id: id })).isError).toBe(false);
    expect(operationsOf(standIn)).toEqual(['create', 'get']);
  });

  it('made elsewhere and refused name their setting, and are neither shown nor tried again', async () => {
    const { standIn, server } = await scene({}, withToken('stale-token-from-yesterday'));
    const answer = await server.call('get_customer', { customer_id: 'x' });
    expect(errorOf(answer)).toMatchObject({ kind: 'unauthorized' });
    expect(answer.text).toContain('LAYER_ACCESS_TOKEN');
    expect(answer.text).not.toContain('LAYER_CLIENT');
    expect(JSON.stringify(answer) + server.stderr()).not.toContain('stale-token-from-yesterday');
    expect(operationsOf(standIn)).toEqual(['get']);
  });

  it('are asked for again once the endpoint is well', async () => {
    const { standIn, server } = await scene();
    standIn.fault({ on: 'token', act: { status: 400, body: { error: 'invalid_client' } } });
    expect((await server.call('create_customer', grete(1))).isError).toBe(true);
    await made(server, grete(1));
  });

  it('are asked for again at once when the endpoint stumbles', async () => {
    const { standIn, server } = await scene();
    standIn.fault({ on: 'token', act: { status: 503 } });
    await made(server, grete(1));
    expect(operationsOf(standIn)).toEqual(['token', 'token', 'create']);
  });

  it('from an address where nobody answers are unavailable, and the setting is named', async () => {
    const dead = await startRaw('refuse');
    const { standIn, server } = await scene({}, (environment) => ({
      ...environment,
      LAYER_TOKEN_URL: `${dead.origin}/oauth2/token`,
    }));
    const answer = await server.call('create_customer', grete(1));
    expect(errorOf(answer)).toMatchObject({ kind: 'unavailable' });
    expect(answer.text).toContain('LAYER_TOKEN_URL');
    expect(standIn.requests).toEqual([]);
    await dead.close();
  });
});

describe('Layer’s token endpoint', () => {
  let standIn: StandIn;
  /** Has never had a token. */
  let server: Connection;
  beforeAll(async () => ({ standIn, server } = await scene()));
  beforeEach(() => standIn.reset());

  it.each([
    { act: 'html', kind: 'bad_response', words: ['token endpoint'] },
    { act: 'no-id', kind: 'bad_response', words: ['token endpoint', 'LAYER_TOKEN_URL'] },
    { act: 'empty', kind: 'bad_response', words: ['token endpoint', 'LAYER_TOKEN_URL'] },
    { act: 'cut', kind: 'bad_response', words: ['token endpoint'] },
    { act: 'array', kind: 'bad_response', words: ['token endpoint', 'LAYER_TOKEN_URL'] },
    { act: 'redirect', kind: 'bad_response', words: ['token endpoint', 'LAYER_TOKEN_URL'] },
    { act: { status: 500 }, kind: 'unavailable', words: ['token endpoint', 'again'] },
    { act: { status: 503 }, kind: 'unavailable', words: ['token endpoint', 'again'] },
    { act: 'reset', kind: 'unavailable', words: ['token endpoint', 'again'] },
    {
      act: { status: 400, body: { error: 'invalid_scope', error_description: 'No such scope' } },
      kind: 'unauthorized',
      words: ['No such scope', 'LAYER_CLIENT_ID', 'LAYER_CLIENT_SECRET', 'LAYER_ENVIRONMENT'],
    },
    { act: { status: 400, body: { error: 'invalid_client' } }, kind: 'unauthorized', words: ['invalid_client'] },
    { act: { status: 429, headers: { 'retry-after': '90' } }, kind: 'rate_limited', words: ['90'] },
  ] as const)('answering $act is told as $kind, and no customer is sent', async ({ act, kind, words }) => {
    standIn.fault({ on: 'token', times: Infinity, act });
    const [reading, creating] = await Promise.all([
      server.call('get_customer', { customer_id: 'x' }),
      server.call('create_customer', grete(1)),
    ]);
    for (const answer of [reading, creating]) {
      expect(errorOf(answer), answer.text).toMatchObject({ kind });
      for (const word of words) expect(answer.text).toContain(word);
    }
    expect(new Set(operationsOf(standIn))).toEqual(new Set(['token']));
  });
});

describe.each([
  { envelope: 'data', answerField: 'memo', putReplaces: true },
  { envelope: 'bare', answerField: 'notes', putReplaces: true },
  { envelope: 'alternate', answerField: 'notes', putReplaces: false },
] as const)('Layer with the envelope $envelope and the notes in $answerField', (variant) => {
  let standIn: StandIn;
  let server: Connection;
  beforeAll(async () => ({ standIn, server } = await scene({ tokenUses: Infinity, ...variant })));
  beforeEach(() => standIn.reset());

  it('is read right in every call', async () => {
    const { id } = await made(server, grete(1));
    const calls: [string, Fields, Fields][] = [
      ['create_customer', grete(1), { outcome: 'updated' }],
      ['get_customer', { customer_id: id }, {}],
      ['get_customer', { customer_id: id }, {}],
      ['update_customer', { customer_id: id, email: 'new@hermann.example' }, { outcome: 'updated' }],
      ['update_customer', { customer_id: id, email: 'newer@hermann.example' }, { outcome: 'updated' }],
      ['archive_customer', { customer_id: id }, { outcome: 'archived' }],
      ['restore_customer', { customer_id: id }, { outcome: 'restored' }],
    ];
    for (const [tool, args, wanted] of calls) {
      const { data } = await server.call(tool, { ...args });
      expect(data, tool).toMatchObject({ ...wanted, customer_id: id, customer: standIn.customers.get(id) });
      expect(data, tool).not.toHaveProperty('warnings');
    }
  });

  it('keeps notes and tags through an update of something else', async () => {
    const { id } = await made(server, grete(1));
    await server.call('update_customer', { customer_id: id, company_name: 'Hermann Optics AG' });
    expect(standIn.customers.get(id)).toMatchObject({
      company_name: 'Hermann Optics AG',
      external_id: 'own-1',
      individual_name: 'Grete Hermann',
      [variant.answerField]: 'Prefers mornings',
      transaction_tags: [expect.objectContaining({ key: 'department', value: 'sales' })],
    });
  });

  it('changes and clears notes and tags', async () => {
    const { id } = await made(server, grete(1));
    const tags = [{ key: 'region', value: 'south' }];
    const changed = await server.call('update_customer', { customer_id: id, notes: 'Prefers evenings', tags });
    expect(changed.data).toMatchObject({ changed: ['notes', 'tags'] });
    expect(standIn.customers.get(id)).toMatchObject({
      [variant.answerField]: 'Prefers evenings',
      transaction_tags: [expect.objectContaining({ key: 'region', value: 'south' })],
    });
    const cleared = await server.call('update_customer', { external_id: 'own-1', clear: ['notes', 'tags'] });
    expect(cleared.data).toMatchObject({ outcome: 'updated', changed: ['notes', 'tags'] });
    expect(cleared.data).not.toHaveProperty('warnings');
    expect(standIn.customers.get(id)).toMatchObject({
      [variant.answerField]: null,
      transaction_tags: [],
      email: 'grete@hermann.example',
    });
  });

  it('says of notes that are there already that nothing changes', async () => {
    const { id } = await made(server, grete(1));
    const { data } = await server.call('update_customer', { customer_id: id, notes: 'Prefers mornings' });
    expect(data).toMatchObject({ outcome: 'unchanged', changed: [] });
    expect(standIn.count('update')).toBe(0);
  });
});

describe('Layer', () => {
  let standIn: StandIn;
  let server: Connection;
  beforeAll(async () => ({ standIn, server } = await scene({ tokenUses: Infinity })));
  beforeEach(() => standIn.reset());
  let serial = 0;
  /** A customer, as arguments, whose external id no other test has used. */
  function someone(): ReturnType<typeof grete> {
    serial += 1;
    return grete(1_000 + serial);
  }

  describe('create_customer', () => {
    it('sends JSON to the business of the settings, with the token', async () => {
      await made(server, someone());
      expect(standIn.requests.at(-1)).toMatchObject({
        method: 'POST',
        path: `/v1/businesses/${LAYER_BUSINESS_ID}/customers`,
        headers: { 'content-type': 'application/json', authorization: expect.stringMatching(/^Bearer layer-/) },
      });
    });

    it('again with other fields updates the one customer and keeps what it does not name', async () => {
      const { external_id, ...fields } = someone();
      const { id } = await made(server, { external_id, ...fields });
      const { data } = await server.call('create_customer', { external_id, email: 'other@hermann.example' });
      expect(data).toMatchObject({ outcome: 'updated', customer_id: id, external_id });
      expect([...standIn.customers.values()]).toEqual([data.customer]);
      expect(data.customer).toMatchObject({ email: 'other@hermann.example', memo: fields.notes });
    });

    it('is sent once more after an unclear answer, for Layer promises that it may be', async () => {
      for (const when of ['before', 'after'] as const) {
        standIn.reset();
        standIn.fault({ on: 'create', when, act: { status: 502 } });
        const { id } = await made(server, someone());
        expect([...standIn.customers.keys()]).toEqual([id]);
      }
    });

    it('warns of a field that was sent and did not come back', async () => {
      const customer = { type: 'CustomerData', id: 'c-1', external_id: 'own-lossy', email: 'other@hermann.example' };
      standIn.fault({ on: 'create', act: { status: 201, body: { data: customer } } });
      const fields = { external_id: 'own-lossy', email: 'grete@hermann.example', notes: 'Prefers mornings' };
      const { data } = await server.call('create_customer', fields);
      expect(data).toMatchObject({ outcome: 'created', customer_id: 'c-1', customer });
      expect(data.warnings).toEqual([
        'Layer accepted the request but its answer has no notes.',
        'Layer accepted the request but its answer has another email.',
      ]);
    });

    it('refuses to create nobody', async () => {
      for (const args of [{}, { email: '', tags: [], notes: null }])
        expect(errorOf(await server.call('create_customer', args))).toMatchObject({ kind: 'invalid_input' });
      expect(operationsOf(standIn)).toEqual([]);
    });
  });

  describe('update_customer', () => {
    it('puts the whole document back with the change in it', async () => {
      const customer = someone();
      const { id } = await made(server, customer);
      standIn.requests.length = 0;
      await server.call('update_customer', { external_id: customer.external_id, email: 'new@hermann.example' });
      const [read, put, ...others] = standIn.requests;
      expect(read).toMatchObject({ method: 'GET', path: expect.stringMatching(`/customers/${id}$`) });
      expect(put).toMatchObject({ method: 'PUT', path: expect.stringMatching(`/customers/${id}$`) });
      expect(put?.body).toEqual({ ...customer, email: 'new@hermann.example' });
      expect(others).toEqual([]);
    });

    it('does not bring back tags that were deleted or archived', async () => {
      const { id, document } = await made(server, someone());
      const tag = { id: 't', key: 'old', value: 'tag' };
      const at = '2026-01-01T00:00:00Z';
      const gone = [
        { ...tag, deleted_at: at, archived_at: null },
        { ...tag, deleted_at: null, archived_at: at },
      ];
      const living = Array.isArray(document.transaction_tags) ? document.transaction_tags : [];
      standIn.customers.set(id, { ...document, transaction_tags: [...living, ...gone] });
      await server.call('update_customer', { customer_id: id, email: 'new@hermann.example' });
      expect(standIn.requests.at(-1)?.body).toMatchObject({ tags: [{ key: 'department', value: 'sales' }] });
    });

    it('sends nothing when nothing would change', async () => {
      const tags = [
        { key: 'department', value: 'sales' },
        { key: 'region', value: 'north' },
      ];
      const { external_id, ...fields } = someone();
      const { id, document } = await made(server, { external_id, ...fields, tags });
      const emptied = { ...document, office_phone: null };
      standIn.customers.set(id, emptied);
      for (const changes of [
        { email: fields.email },
        { tags: tags.toReversed() },
        { company_name: fields.company_name, notes: fields.notes, clear: ['office_phone'] },
      ]) {
        const { data } = await server.call('update_customer', { external_id, ...changes });
        expect(data).toEqual({ outcome: 'unchanged', changed: [], customer_id: id, external_id, customer: emptied });
      }
      expect(standIn.count('update')).toBe(0);
    });

    it('names as changed only what is now different', async () => {
      const { external_id, ...fields } = someone();
      await made(server, { external_id, ...fields });
      const changes = { email: fields.email, company_name: 'Hermann AG', clear: ['mobile_phone', 'notes'] };
      const { data } = await server.call('update_customer', { external_id, ...changes });
      expect(data).toMatchObject({ outcome: 'updated', changed: ['company_name', 'notes'] });
    });

    it('with both ids finds by the one, writes the other, and forgets the old one', async () => {
      const { external_id: before, ...fields } = someone();
      const { id } = await made(server, { external_id: before, ...fields });
      const after = `${before}-renamed`;
      const { data } = await server.call('update_customer', { customer_id: id, external_id: after });
      expect(data).toMatchObject({ outcome: 'updated', changed: ['external_id'], external_id: after });
      expect(standIn.customers.get(id)).toMatchObject({ external_id: after, email: fields.email });
      const byNew = await server.call('get_customer', { external_id: after });
      expect(byNew.data).toMatchObject({ customer_id: id, external_id: after });
      const byOld = await server.call('get_customer', { external_id: before });
      expect(errorOf(byOld)).toMatchObject({ kind: 'not_found', message: expect.stringContaining(before) });
      const change = await server.call('update_customer', { external_id: before, email: 'lost@hermann.example' });
      expect(errorOf(change)).toMatchObject({ kind: 'not_found' });
      expect(standIn.customers.get(id)).toMatchObject({ email: fields.email });
    });

    it('does not touch a customer whose external id was changed by others meanwhile', async () => {
      const { external_id, ...fields } = someone();
      const { id, document } = await made(server, { external_id, ...fields });
      standIn.customers.set(id, { ...document, external_id: 'somebody-else' });
      for (const tool of ['get_customer', 'archive_customer', 'restore_customer'])
        expect(errorOf(await server.call(tool, { external_id }))).toMatchObject({ kind: 'not_found' });
      const change = await server.call('update_customer', { external_id, email: 'wrong@hermann.example' });
      expect(errorOf(change)).toMatchObject({ kind: 'not_found' });
      expect(standIn.customers.get(id)).toEqual({ ...document, external_id: 'somebody-else' });
    });

    it('refuses an external id that belongs to another customer', async () => {
      const [one, other] = [someone(), someone()];
      const { id, document } = await made(server, one);
      await made(server, other);
      const args = { customer_id: id, external_id: other.external_id, email: 'x@hermann.example' };
      const answer = await server.call('update_customer', args);
      expect(errorOf(answer)).toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining('external_id belongs to another customer'),
      });
      expect(standIn.customers.get(id)).toEqual(document);
    });

    it('leaves an archived customer archived', async () => {
      const { external_id, ...fields } = someone();
      const { id } = await made(server, { external_id, ...fields });
      await server.call('archive_customer', { customer_id: id });
      await server.call('update_customer', { external_id, email: 'new@hermann.example' });
      expect(standIn.customers.get(id)).toMatchObject({ email: 'new@hermann.example', status: 'ARCHIVED' });
    });
  });

  describe('archive_customer and restore_customer', () => {
    it('do their work once and then say that it is done', async () => {
      const { external_id, ...fields } = someone();
      const { id } = await made(server, { external_id, ...fields });
      const story = [
        ['archive_customer', 'archived', 'ARCHIVED'],
        ['archive_customer', 'already_archived', 'ARCHIVED'],
        ['restore_customer', 'restored', 'ACTIVE'],
        ['restore_customer', 'already_active', 'ACTIVE'],
      ] as const;
      for (const ref of [{ customer_id: id }, { external_id }])
        for (const [tool, outcome, status] of story) {
          const { data } = await server.call(tool, ref);
          expect(data).toEqual({ outcome, customer_id: id, customer: standIn.customers.get(id) });
          expect(standIn.customers.get(id)).toMatchObject({ status });
        }
      expect(standIn.count('archive')).toBe(2);
      expect(standIn.count('unarchive')).toBe(2);
    });

    it('leave everything else as it is', async () => {
      const { id, document } = await made(server, someone());
      await server.call('archive_customer', { customer_id: id });
      expect(standIn.customers.get(id)).toEqual({ ...document, status: 'ARCHIVED' });
      await server.call('restore_customer', { customer_id: id });
      expect(standIn.customers.get(id)).toEqual(document);
    });

    it('keep an archived customer within reach of its external id and out of the list', async () => {
      const { external_id, ...fields } = someone();
      const { id } = await made(server, { external_id, ...fields });
      await server.call('archive_customer', { customer_id: id });
      expect((await server.call('search_customer')).data.customers).toEqual([]);
      const { data } = await server.call('search_customer', { include_archived: true });
      expect(data.customers).toEqual([{ customer_id: id, external_id, customer: standIn.customers.get(id) }]);
      // A document put in by others: nothing is remembered of it.
      standIn.customers.set('old', { ...standIn.customers.get(id), id: 'old', external_id: `${external_id}-old` });
      const found = await server.call('get_customer', { external_id: `${external_id}-old` });
      expect(found.data, found.text).toMatchObject({ customer_id: 'old' });
    });

    it.each(['html', 'empty', 'cut', 'null', 'no-id'] as const)(
      'count as done when Layer accepts a restoration and answers oddly (%s)',
      async (act) => {
        const { id } = await made(server, someone());
        await server.call('archive_customer', { customer_id: id });
        standIn.fault({ on: 'unarchive', when: 'after', act });
        standIn.fault({ on: 'get', skip: 1, times: Infinity, act: { status: 403 } });
        const { data, text } = await server.call('restore_customer', { customer_id: id });
        expect(data, text).toMatchObject({ outcome: 'restored', customer_id: id });
        expect(standIn.customers.get(id)).toMatchObject({ status: 'ACTIVE' });
      },
    );
  });

  describe('search_customer', () => {
    it('passes its filters on under their own names, 25 a page unless told otherwise', async () => {
      const filters = {
        include_archived: true,
        external_id_contains: 'own & only=1',
        name_contains: 'Café #1',
        sort_by: 'email',
        sort_order: 'DESC',
      };
      await server.call('search_customer', filters);
      await server.call('search_customer', { external_id: 'a/b?c', name: 'Ärzte+', limit: 100 });
      expect(standIn.requests.map(({ operation, query }) => [operation, Object.fromEntries(query)])).toEqual([
        ['list', { ...filters, include_archived: 'true', limit: '25' }],
        ['list', { external_id: 'a/b?c', name: 'Ärzte+', limit: '100' }],
      ]);
    });

    it('reads a list without meta as the last page, and a bare list as a list', async () => {
      const { id, document } = await made(server, someone());
      for (const body of [{ data: [document] }, [document]]) {
        standIn.fault({ on: 'list', act: { status: 200, body } });
        const { data } = await server.call('search_customer');
        expect(data).toMatchObject({ customers: [{ customer_id: id }], has_more: false });
      }
    });

    it('shows the total where Layer counts', async () => {
      const pagination = { sort_by: 'id', sort_order: 'ASC', cursor: null, has_more: false, total_count: 42 };
      standIn.fault({ on: 'list', act: { status: 200, body: { data: [], meta: { pagination } } } });
      expect((await server.call('search_customer')).data).toEqual({ customers: [], has_more: false, total: 42 });
    });

    it('passes on what Layer says of a cursor that it does not know', async () => {
      const answer = await server.call('search_customer', { cursor: 'made-up' });
      expect(errorOf(answer)).toMatchObject({
        kind: 'invalid_input',
        message: expect.stringContaining('cursor is invalid'),
      });
    });
  });

  it('quotes every error of the list, whatever there is of each', async () => {
    const errors = [
      { type: 'A', description: 'First thing' },
      { type: 'B', error_enum: 'SECOND_THING' },
      { type: 'Third' },
    ];
    standIn.fault({ on: 'get', act: { status: 400, body: { errors } } });
    const { text } = await server.call('get_customer', { customer_id: 'x' });
    expect(text).toContain('Layer answered 400: "First thing; SECOND_THING; Third"');
  });

  it('offers restoring, and no linking, because it keeps external ids itself', async () => {
    const names = (await server.client.listTools()).tools.map(({ name }) => name);
    expect(names).toContain('restore_customer');
    expect(names).not.toContain('link_customer');
  });
});

/** A customer with every kind of field, as arguments. */
function grete(n: number) {
  return {
    external_id: `own-${n}`,
    individual_name: 'Grete Hermann',
    company_name: 'Hermann Optics',
    email: 'grete@hermann.example',
    notes: 'Prefers mornings',
    tags: [{ key: 'department', value: 'sales' }],
  };
}

/** Creates, and gives the id and the document of the answer. */
async function made(server: Connection, fields: Fields): Promise<{ readonly id: string; readonly document: Fields }> {
  const { data, text } = await server.call('create_customer', { ...fields });
  expect(data, text).toMatchObject({ customer_id: expect.any(String) });
  return { id: String(data.customer_id), document: isRecord(data.customer) ? data.customer : {} };
}

function operationsOf({ requests }: StandIn): readonly string[] {
  return requests.map(({ operation }) => operation);
}

function withToken(token: string): (environment: Environment) => Environment {
  return ({ LAYER_CLIENT_ID: _id, LAYER_CLIENT_SECRET: _secret, ...environment }) => ({
    ...environment,
    LAYER_ACCESS_TOKEN: token,
  });
}

/** Layer's tags as they are written. */
function tagsOf(tags: unknown): unknown {
  return Array.isArray(tags) ? tags.map(({ key, value }) => ({ key, value })) : tags;
}
