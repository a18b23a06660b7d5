import { describe, expect, it } from 'vitest';
import { idOf, kindOf, messageOf } from '../../support/answers.ts';
import { anId, dayzeroWith, seed, someone } from './fixture.ts';

describe('DayZero with its newer envelope, sentences for details, unique emails and an audited user', () => {
  const newer = dayzeroWith(
    { envelope: 'wrapped', detail: 'text', uniqueEmail: true },
    { DAYZERO_USER_EMAIL: 'auditor@example.com' },
  );

  it('gets the user of the settings with every request', async () => {
    await newer.create(someone({ external_id: anId() }));
    await newer.call('search_customer');
    expect(newer.provider.count('*')).toBeGreaterThanOrEqual(3);
    for (const { headers } of newer.provider.requests) expect(headers['x-user-email']).toBe('auditor@example.com');
  });

  it('has its customers taken out of the envelope by every tool', async () => {
    const { provider } = newer;
    const external_id = anId();
    const created = await newer.create(someone({ external_id }));
    const customer_id = idOf(created);
    const shown = { customer_id, customer: provider.customers.get(customer_id) };

    expect(created.data).toMatchObject({ outcome: 'created', ...shown });
    expect((await newer.call('get_customer', { customer_id })).data).toEqual({ ...shown, external_id });
    expect((await newer.call('search_customer')).data).toEqual({
      customers: [{ ...shown, external_id, customer: expect.objectContaining({ name: shown.customer?.['name'] }) }],
      has_more: false,
      total: 1,
    });
    const updated = await newer.call('update_customer', { external_id, phone: '7' });
    expect(updated.data['customer']).toEqual(provider.customers.get(customer_id));
    expect(updated.data['customer']).toMatchObject({ phone: '7' });
  });

  it('has a sentence of a 422 quoted, which names the field', async () => {
    const result = await newer.create({ name: 'No dot', email: 'info@nowhere' });
    expect(kindOf(result)).toBe('invalid_input');
    expect(messageOf(result)).toContain('body.email: value is not a valid email address');
  });

  it('returns conflict for an email that the provider treats as the same although its list does not', async () => {
    const { provider } = newer;
    const { name, email } = someone();
    seed(provider, { name: 'Another Name', email: email.toUpperCase() });
    const external_id = anId();
    const result = await newer.create({ name, email, external_id });

    expect(kindOf(result), messageOf(result)).toBe('conflict');
    expect(messageOf(result)).toContain('A customer with this email already exists');
    expect(provider.count('create')).toBe(1);

    provider.customers.clear();
    expect(kindOf(await newer.create({ name, email, external_id }))).toBe('created');
  });
});

describe('DayZero that answers bare and enveloped by turns', () => {
  const changing = dayzeroWith({ envelope: 'alternate' });

  it('makes no difference to any tool', async () => {
    const { provider } = changing;
    // An odd number of answers each round, so that every tool meets both forms.
    for (const round of [1, 2]) {
      const external_id = anId();
      const created = await changing.create(someone({ external_id }));
      const customer_id = idOf(created);
      const stored = provider.customers.get(customer_id);
      expect(created.data, `round ${round}`).toEqual({
        outcome: 'created',
        customer_id,
        external_id,
        customer: stored,
      });
      expect((await changing.create({ ...someone(), email: stored?.['email'] })).isError).toBe(true);
      expect((await changing.call('get_customer', { external_id })).data).toMatchObject({
        customer_id,
        customer: stored,
      });
      const { data } = await changing.call('search_customer', { email: stored?.['email'] });
      expect(data).toMatchObject({ customers: [{ customer_id, external_id }], has_more: false });
      const updated = await changing.call('update_customer', { external_id, notes: `round ${round}` });
      expect(updated.data['customer']).toEqual(provider.customers.get(customer_id));
      expect(updated.data).not.toHaveProperty('warnings');
      expect((await changing.call('search_customer', { limit: 1 })).data['customers']).toHaveLength(1);
    }
    expect(provider.customers.size).toBe(2);
  });
});
