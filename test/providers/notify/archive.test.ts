import { describe, expect, it } from 'vitest';
import { confirmed, idOf, kindOf, messageOf } from '../../support/answers.ts';
import { aCode, notifyWith } from './fixture.ts';

describe('Deleting a Notify customer', () => {
  const hasInvoices = new Set<string>();
  const plain = notifyWith({ hasInvoices });

  it('is refused in the words of Notify while there are invoices, and everything stays', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
    const { CustomerCode } = fields;
    const customer_id = idOf(await plain.create(fields));
    hasInvoices.add(customer_id);
    const result = await confirmed(plain.call, 'archive_customer', { CustomerCode });
    expect(kindOf(result)).toBe('invalid_input');
    expect(messageOf(result)).toContain('"Customer is not empty"');
    expect(provider.count('delete')).toBe(1);
    expect((await plain.call('get_customer', { CustomerCode })).data).toMatchObject({ customer_id });
    expect((await plain.create(fields)).data).toMatchObject({ outcome: 'existing', customer_id });
  });

  it('is for good, so the customer is found by neither id', async () => {
    const CustomerCode = aCode();
    const customer_id = idOf(await plain.create({ CustomerCode, Name: 'Tulpen B.V.' }));
    const { data } = await confirmed(plain.call, 'archive_customer', { CustomerCode });
    expect(data).toMatchObject({ outcome: 'deleted', customer_id, customer: { name: 'Tulpen B.V.' } });
    for (const gone of [{ customer_id }, { CustomerCode }]) {
      expect(kindOf(await plain.call('get_customer', gone))).toBe('not_found');
      expect(kindOf(await plain.call('archive_customer', { ...gone, confirm: 'Tulpen B.V.' }))).toBe('not_found');
    }
  });
});
