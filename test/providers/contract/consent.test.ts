import { beforeEach, describe, expect, it } from 'vitest';
import { confirmed, idOf, kindOf, messageOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import { openScene } from './scene.ts';

const deleting = kits.filter(({ archive }) => archive.outcome === 'deleted');
/** A create that may be carried out twice is sent again only with consent. */
const resending = kits.filter(({ upserts }) => !upserts);

const ASKS = { environment: { CUSTOMERS_CONFIRM: '' } };

describe.each(deleting)('archive_customer at $title, which deletes,', (kit) => {
  const scene = openScene(kit, ASKS);
  const { call, create, fresh, stored } = scene;
  const { archive, externalIdField, nameField } = kit;

  it('names the customer, and goes on only with the value from its error', async () => {
    const { few } = fresh();
    const name = String(few[nameField.field]);
    const customer_id = await create(few);
    const shown = (await call('get_customer', { customer_id })).data['customer'];

    const first = await call('archive_customer', { customer_id });
    expect(kindOf(first)).toBe('confirmation_required');
    const { confirm } = errorOf(first) ?? {};
    for (const words of [name, customer_id, confirm]) expect(messageOf(first)).toContain(words);
    for (const wrong of [name, customer_id, 'true', 'yes', `${String(confirm)}x`])
      expect(kindOf(await call('archive_customer', { customer_id, confirm: wrong }))).toBe('confirmation_required');
    expect(scene.standIn.count(archive.operation)).toBe(0);

    const right = await call('archive_customer', { customer_id, confirm });
    expect(right.data).toMatchObject({ outcome: 'deleted', customer_id, customer: shown });
    expect(right.data['warnings']).toEqual([expect.stringContaining('cannot restore')]);
    expect(scene.standIn.count(archive.operation)).toBe(1);
    expect(archive.done(scene.standIn.customers.get(customer_id))).toBe(true);
  });

  it.each([
    ['a name with invisible parts', 'Tulip\u202e\u200b Shop\u{e0041}', '"Tulip Shop"'],
    ['no name', null, undefined],
    ['an empty name', '', undefined],
    ['an invisible name', '\u200b\u2060', undefined],
  ])('shows the name of a customer with %s as far as it is visible, and its id', async (_, name, seen) => {
    const customer_id = await create(fresh().few);
    scene.standIn.customers.set(customer_id, { ...stored(customer_id), [nameField.stored]: name });
    const first = await call('archive_customer', { customer_id });
    for (const words of [customer_id, ...(seen === undefined ? [] : [seen])]) expect(messageOf(first)).toContain(words);
    expect(kindOf(await confirmed(call, 'archive_customer', { customer_id }))).toBe('deleted');
  });

  it.each([externalIdField, 'customer_id'])('by %s frees the external id for a new customer', async (by) => {
    const { id, few, all } = fresh();
    const own = { [externalIdField]: id };
    const customer_id = await create(few, id);
    const ref = by === 'customer_id' ? { customer_id } : own;
    await confirmed(call, 'archive_customer', ref);
    expect(kindOf(await call('get_customer', own))).toBe('not_found');

    const next = await call('create_customer', { ...all, ...own });
    expect(next.data).toMatchObject({ outcome: 'created', external_id: id });
    expect(idOf(next)).not.toBe(customer_id);
    const left = [...scene.standIn.customers].filter(([, document]) => !archive.done(document));
    expect(left.map(([one]) => one)).toEqual([idOf(next)]);
    expect((await call('get_customer', own)).data).toMatchObject({ customer_id: idOf(next) });
    expect(kindOf(await call('create_customer', { ...all, ...own }))).toBe('existing');
  });

  it('counts as done when it is repeated after an unclear answer and finds nothing to delete', async () => {
    const { few } = fresh();
    const customer_id = await create(few);
    scene.standIn.fault({ on: archive.operation, act: { status: 502 }, when: 'after' });
    const result = await confirmed(call, 'archive_customer', { customer_id });
    expect(result.data).toMatchObject({ outcome: 'deleted', customer_id });
    expect(scene.standIn.count(archive.operation)).toBe(2);
  });
});

describe.each(resending)('a create of unknown outcome at $title', (kit) => {
  const scene = openScene(kit, ASKS);
  const { call, fresh, forgetRequests } = scene;
  const { externalIdField } = kit;

  it('is sent again with resend and consent, and only then', async () => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await call('create_customer', fields))).toBe('outcome_unknown');

    const first = await call('create_customer', { ...fields, resend: true });
    expect(kindOf(first)).toBe('confirmation_required');
    const confirm = errorOf(first)?.['confirm'];
    expect(messageOf(first)).toContain(JSON.stringify(confirm));
    const wrong = await call('create_customer', { ...fields, resend: true, confirm: 'yes' });
    expect(kindOf(wrong)).toBe('confirmation_required');
    expect(kindOf(await call('create_customer', { ...fields, confirm }))).toBe('outcome_unknown');
    expect(scene.standIn.count('create')).toBe(1);

    const sent = await call('create_customer', { ...fields, resend: true, confirm });
    expect(kindOf(sent)).toBe('created');
    const request = scene.standIn.requests.findLast(({ operation }) => operation === 'create');
    expect(request?.body).toEqual(kit.keepsExternalId ? fields : few);
    expect(request?.query.size).toBe(0);
    expect(scene.standIn.count('create')).toBe(2);
    const again = await call('create_customer', fields);
    expect(again.data).toMatchObject({ outcome: 'existing', customer_id: idOf(sent) });
  });

  it('is not sent again with resend when the customer exists after all', async () => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await call('create_customer', fields))).toBe('outcome_unknown');
    const { confirm } = errorOf(await call('create_customer', { ...fields, resend: true })) ?? {};
    const customer_id = idOf(await call('create_customer', fields, scene.shortTimeoutServer));
    forgetRequests();
    const result = await call('create_customer', { ...fields, resend: true, confirm });
    expect(result.data).toMatchObject({ outcome: 'existing', customer_id });
    expect(scene.standIn.count('create')).toBe(0);
  });

  it('needs its external id to be sent again', async () => {
    const result = await call('create_customer', { ...fresh().few, resend: true });
    expect(errorOf(result)).toMatchObject({ kind: 'invalid_input', fields: [{ path: 'resend' }] });
    expect(scene.standIn.count('*')).toBe(0);
  });
});

describe.each(deleting)('a client of $title that can ask the user', (kit) => {
  const questions: string[] = [];
  let action: 'accept' | 'decline' | 'cancel' = 'accept';
  const scene = openScene(kit, {
    ...ASKS,
    client: {
      onElicit(message) {
        questions.push(message);
        return { action, ...(action === 'accept' && { content: { confirm: true } }) };
      },
    },
  });
  const { call, create, fresh } = scene;
  const { archive, externalIdField, nameField } = kit;
  beforeEach(() => void questions.splice(0));

  it('shows the name, and the customer is deleted when the user accepts', async () => {
    const { few } = fresh();
    const customer_id = await create(few);
    action = 'accept';
    expect(kindOf(await call('archive_customer', { customer_id }))).toBe('deleted');
    expect(questions).toEqual([expect.stringContaining(String(few[nameField.field]))]);
    expect(archive.done(scene.standIn.customers.get(customer_id))).toBe(true);
  });

  it.each(['decline', 'cancel'] as const)('has nothing deleted on %s, whatever the model confirms', async (answer) => {
    const { few } = fresh();
    const customer_id = await create(few);
    action = answer;
    const result = await call('archive_customer', { customer_id, confirm: few[nameField.field] });
    expect(kindOf(result)).toBe('confirmation_required');
    expect(questions).toHaveLength(1);
    expect(scene.standIn.count(archive.operation)).toBe(0);
  });

  it.skipIf(!resending.includes(kit)).each(['decline', 'cancel'] as const)(
    'has a create not sent again on %s, and sent when the user accepts',
    async (answer) => {
      const { id, few } = fresh();
      const fields = { ...few, [externalIdField]: id };
      scene.standIn.fault({ on: 'create', act: 'reset' });
      expect(kindOf(await call('create_customer', fields))).toBe('outcome_unknown');
      expect(questions).toEqual([]);

      action = answer;
      const refused = await call('create_customer', { ...fields, resend: true, confirm: id });
      expect(kindOf(refused)).toBe('confirmation_required');
      expect(scene.standIn.count('create')).toBe(1);
      action = 'accept';
      expect(kindOf(await call('create_customer', { ...fields, resend: true }))).toBe('created');
      expect(scene.standIn.count('create')).toBe(2);
      expect(questions).toHaveLength(2);
      expect(questions[1]).toContain(id);
    },
  );
});
