import { describe, expect, it } from 'vitest';
import { idOf, kindOf, messageOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import { toolsOf } from '../../support/snapshots.ts';
import type { Act } from '../../support/stand-in.ts';
import { openScene } from './scene.ts';

/** The providers at which a create that is sent twice may make two customers. */
const careful = kits.filter(({ upserts }) => !upserts);

const SPOILED: readonly (readonly [string, Act])[] = [
  ['a reset connection', 'reset'],
  ['a 500', { status: 500 }],
  ['a 502', { status: 502 }],
  ['a 503', { status: 503 }],
  ['a 504 from a gateway', { status: 504, body: '<html>Gateway Timeout</html>' }],
  ['an answer cut short', 'cut'],
  ['a chunked answer cut short', 'cut-chunked'],
  ['a page of HTML', 'html'],
  ['an empty answer', 'empty'],
  ['an answer without an id', 'no-id'],
  ['an array', 'array'],
  ['a null', 'null'],
  ['a redirect', 'redirect'],
  ['far too much', 'huge'],
  ['a compressed answer', 'gzip'],
];

describe.each(careful)('a create at $title whose answer is lost', (kit) => {
  const scene = openScene(kit);
  const { call, fresh, forgetRequests } = scene;
  const { title, externalIdField, change } = kit;

  it.each(SPOILED)('but which was carried out is found after %s', async (_, act) => {
    const { id, all } = fresh();
    const fields = { ...all, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act, when: 'after' });
    const result = await call('create_customer', fields);

    const [[customer_id, customer] = [], ...others] = scene.standIn.customers;
    expect(others).toEqual([]);
    expect(result.data).toEqual({ outcome: 'created', customer_id, external_id: id, customer });
    expect(scene.standIn.count('create')).toBe(1);
    expect((await call('create_customer', fields)).data).toMatchObject({ outcome: 'existing', customer_id });
    expect(scene.standIn.count('create')).toBe(1);
  });

  it.each([
    ['a reset connection', 'reset'],
    ['a 500', { status: 500 }],
    ['a 502', { status: 502 }],
  ] as const)('and which was not carried out is outcome_unknown after %s, and is not sent again', async (_, act) => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act });
    const first = await call('create_customer', fields);
    expect(kindOf(first)).toBe('outcome_unknown');
    for (const word of [title, 'create_customer', 'resend']) expect(messageOf(first)).toContain(word);
    expect(messageOf(first).includes('link_customer')).toBe(toolsOf(kit.name).includes('link_customer'));

    const insisting = kit.insist === undefined ? {} : { [kit.insist]: true };
    for (const more of [{}, insisting, { [change.field]: change.value }])
      expect(kindOf(await call('create_customer', { ...fields, ...more }))).toBe('outcome_unknown');
    expect(scene.standIn.count('create')).toBe(1);
  });

  it('and which turns up late is existing for the next call', async () => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await call('create_customer', fields))).toBe('outcome_unknown');
    const customer_id = idOf(await call('create_customer', fields, scene.shortTimeoutServer));
    forgetRequests();
    const customer = scene.standIn.customers.get(customer_id);
    expect((await call('create_customer', fields)).data).toMatchObject({ outcome: 'existing', customer_id, customer });
    expect((await call('get_customer', { [externalIdField]: id })).data).toMatchObject({ customer_id });
    expect(scene.standIn.count('create')).toBe(0);
  });

  it('and which turns up late is a conflict for a call with other fields, which names them', async () => {
    const { id, all } = fresh();
    const fields = { ...all, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await call('create_customer', fields))).toBe('outcome_unknown');
    const customer_id = idOf(await call('create_customer', fields, scene.shortTimeoutServer));
    forgetRequests();
    const others = { [change.field]: change.value, [kit.text.field]: 'Another text' };
    const result = await call('create_customer', { ...fields, ...others });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id });
    for (const field of Object.keys(others)) expect(messageOf(result)).toContain(field);
    expect(scene.standIn.count('create')).toBe(0);
  });

  it('was accepted, so it is not sent again although the customer cannot be found', async () => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: 'no-id' });
    const first = await call('create_customer', fields);
    expect(first.data).toMatchObject({ outcome: 'created', warnings: [expect.stringContaining('search_customer')] });
    expect(first.data).not.toHaveProperty('customer_id');
    expect(kindOf(await call('create_customer', fields))).toBe('outcome_unknown');
    expect(scene.standIn.count('create')).toBe(1);
  });

  it('is sent again at the first call with resend where no consent is needed', async () => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await call('create_customer', fields))).toBe('outcome_unknown');
    expect(kindOf(await call('create_customer', { ...fields, resend: true }))).toBe('created');
    expect(scene.standIn.count('create')).toBe(2);
  });
});

describe.each(careful)('a create at $title that is answered too slowly', (kit) => {
  const scene = openScene(kit);
  const { call, fresh } = scene;
  const create = (fields: object) => call('create_customer', { ...fields }, scene.shortTimeoutServer);

  it('but was carried out is a success when its answer only drips', async () => {
    const { id, few } = fresh();
    scene.standIn.fault({ on: 'create', act: 'drip', when: 'after' });
    const result = await create({ ...few, [kit.externalIdField]: id });
    const [[customer_id, customer] = []] = scene.standIn.customers;
    expect(result.data).toMatchObject({ outcome: 'created', customer_id, customer });
    expect(scene.standIn.count('create')).toBe(1);
  });

  it('and was not carried out is outcome_unknown, and is not sent again', async () => {
    const { id, few } = fresh();
    const fields = { ...few, [kit.externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: 'hang' });
    expect(kindOf(await create(fields))).toBe('outcome_unknown');
    expect(kindOf(await create(fields))).toBe('outcome_unknown');
    expect(scene.standIn.count('create')).toBe(1);
  });
});

describe.each(careful)('a create that $title refuses', (kit) => {
  const scene = openScene(kit);
  const { call, fresh } = scene;
  const { externalIdField } = kit;

  it.each([400, 401, 403, 404, 409, 422])('with a %i leaves the external id free', async (status) => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: { status } });
    const refused = await call('create_customer', fields);
    expect(refused.isError).toBe(true);
    expect(kindOf(refused)).not.toBe('outcome_unknown');
    expect(scene.standIn.count('create')).toBe(1);
    expect(kindOf(await call('create_customer', fields))).toBe('created');
    expect(scene.standIn.count('create')).toBe(2);
    expect(scene.standIn.customers.size).toBe(1);
  });

  it('leaves the external id free for other fields', async () => {
    const [{ id, few }, other] = [fresh(), fresh()];
    scene.standIn.fault({ on: 'create', act: { status: 422 } });
    expect(kindOf(await call('create_customer', { ...few, [externalIdField]: id }))).toBe('invalid_input');
    expect(kindOf(await call('create_customer', { ...other.few, [externalIdField]: id }))).toBe('created');
    expect(scene.standIn.customers.size).toBe(1);
  });

  it('with a long wait leaves the external id free', async () => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: { status: 429, headers: { 'retry-after': '3600' } } });
    expect(errorOf(await call('create_customer', fields))).toMatchObject({ kind: 'rate_limited', retry_after_s: 3600 });
    expect(scene.standIn.count('create')).toBe(1);
    expect(kindOf(await call('create_customer', fields))).toBe('created');
  });
});
