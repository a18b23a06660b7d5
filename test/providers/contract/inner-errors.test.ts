import { describe, expect, it } from 'vitest';
import { idOf } from '../../support/answers.ts';
import { kits } from '../../support/providers.ts';
import { openScene, refusalIn } from './scene.ts';

const WORDS = 'Words of its own';

/** Errors under a success status, none with a status of its own but where it is said. */
const INSIDE: readonly { readonly shape: string; readonly body: unknown }[] = [
  { shape: 'success: false', body: { success: false, message: WORDS, code: 'NOT_POSSIBLE' } },
  { shape: 'success: false beside empty data', body: { success: false, message: WORDS, code: null, data: null } },
  { shape: 'errors', body: { errors: [{ type: 'Refused', description: WORDS }] } },
  { shape: 'errors that are texts', body: { data: null, errors: [WORDS] } },
  { shape: 'errors by field', body: { errors: { name: [WORDS] } } },
  { shape: 'status 422', body: { status: 422, title: 'No', detail: WORDS } },
  { shape: 'error as a text', body: { error: WORDS } },
  { shape: 'error as an object', body: { error: { code: 17, message: WORDS } } },
];

/** Statuses that an error names itself, as a number or by name. */
const NAMED = [
  { body: { status: 404, title: 'Not Found', detail: WORDS }, read: 'not_found', write: 'not_found' },
  { body: { success: false, code: 'NOT_FOUND', message: WORDS }, read: 'not_found', write: 'not_found' },
  { body: { success: false, code: 'CONFLICT', message: WORDS }, read: 'conflict', write: 'conflict' },
  { body: { success: false, code: '403', message: WORDS }, read: 'forbidden', write: 'forbidden' },
  { body: { status: 429, title: 'Slow down', detail: WORDS }, read: 'rate_limited', write: 'rate_limited' },
  { body: { status: 503, title: 'Away', detail: WORDS }, read: 'unavailable', write: 'outcome_unknown' },
];

/** Answers that hold a customer and, beside it, what only looks like an error. */
const HARMLESS: readonly object[] = [
  { errors: [] },
  { errors: null, error: null, warnings: ['Check the address.'] },
  { success: true, message: 'Created', code: 'OK', error: '', errors: {} },
];

describe.each(kits)('errors inside a success of $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored } = scene;
  const { externalIdField, archive, change, read } = kit;

  it.each(INSIDE)('a create with $shape is refused in its words, and may be repeated', async ({ body }) => {
    const { id, few } = fresh();
    scene.standIn.fault({ on: 'create', act: { status: 200, body } });
    const args = { ...few, [externalIdField]: id };
    expect(refusalIn(await call('create_customer', args), 'invalid_input').message).toContain(WORDS);
    expect((await call('create_customer', args)).data).toMatchObject({ outcome: 'created' });
    expect(scene.standIn.customers.size).toBe(1);
  });

  it.each(INSIDE)('an update with $shape is refused, and changes nothing', async ({ body }) => {
    const customerId = await create(fresh().few);
    const before = stored(customerId);
    scene.standIn.fault({ on: 'update', act: { status: 200, body } });
    const args = { customer_id: customerId, [change.field]: change.value };
    expect(refusalIn(await call('update_customer', args), 'invalid_input').message).toContain(WORDS);
    expect(stored(customerId)).toEqual(before);
  });

  it.each(INSIDE)('archiving with $shape is refused, and frees no id', async ({ body }) => {
    const { id, few } = fresh();
    const customerId = await create(few, id);
    scene.standIn.fault({ on: archive.operation, act: { status: 200, body } });
    const answer = await call('archive_customer', { [externalIdField]: id });
    expect(refusalIn(answer, 'invalid_input').message).toContain(WORDS);
    const again = await call('create_customer', { ...few, [externalIdField]: id });
    expect(again.data).toMatchObject({ outcome: 'existing', customer_id: customerId });
    expect(scene.standIn.customers.size).toBe(1);
  });

  it.each(INSIDE)('a read with $shape is refused', async ({ shape, body }) => {
    const customerId = await create(fresh().few);
    const kind = shape === 'status 422' ? 'invalid_input' : 'bad_response';
    scene.standIn.fault({ on: read, times: Infinity, act: { status: 200, body } });
    expect(refusalIn(await call('get_customer', { customer_id: customerId }), kind).message).toContain(WORDS);
    scene.recover();
    scene.standIn.fault({ on: 'list', times: Infinity, act: { status: 200, body } });
    expect(refusalIn(await call('search_customer'), kind).message).toContain(WORDS);
  });

  it.each(NAMED)('$body is of the kind that it names', async ({ body, read: onRead, write }) => {
    const customerId = await create(fresh().few);
    scene.standIn.fault({ on: read, times: Infinity, act: { status: 200, body } });
    expect(refusalIn(await call('get_customer', { customer_id: customerId }), onRead).message).toContain(WORDS);
    scene.recover();
    scene.standIn.fault({ on: 'update', times: Infinity, act: { status: 200, body } });
    const args = { customer_id: customerId, [change.field]: change.value };
    expect(refusalIn(await call('update_customer', args), write).message).toContain(WORDS);
  });

  it.each(HARMLESS)('an accepted write with %j beside its customer is a success', async (beside) => {
    const { id, few } = fresh();
    const customerId = await create(few, id);
    const body = { ...kit.answer(stored(customerId)), ...beside };
    scene.standIn.fault({ on: 'update', when: 'after', act: { status: 200, body } });
    const args = { customer_id: customerId, [change.field]: change.value };
    expect(idOf(await call('update_customer', args))).toBe(customerId);
  });

  it('an answer with a customer and an error leaves the fate of a write open', async () => {
    const customerId = await create(fresh().few);
    const body = { ...kit.answer(stored(customerId)), errors: [{ description: WORDS, detail: WORDS }] };
    scene.standIn.fault({ on: 'update', act: { status: 200, body } });
    const args = { customer_id: customerId, [change.field]: change.value };
    expect(refusalIn(await call('update_customer', args), 'outcome_unknown').message).toContain(WORDS);
  });
});
