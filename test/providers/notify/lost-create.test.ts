import { describe, expect, it } from 'vitest';
import { confirmed, kindOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { aCode, notifyWith, seed } from './fixture.ts';

describe('A Notify create whose answer is lost', () => {
  const plain = notifyWith();

  it('is a conflict if its code appears with other fields, which another program must have sent', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create({ CustomerCode, Name: 'Tulpen B.V.' }))).toBe('outcome_unknown');
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const result = await plain.create({ CustomerCode, Name: 'Tulpen B.V.' });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id, fields: [{ path: 'Name' }] });
    expect(provider.count('create')).toBe(1);
  });

  it('wrote over a customer, so it is updated, for the customer shows what was sent', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    provider.fault({ on: 'create', act: 'reset', when: 'after' });
    const result = await confirmed(plain.call, 'create_customer', {
      CustomerCode,
      Name: 'Rozen B.V.',
      Overwrite: true,
    });
    expect(result.data).toMatchObject({ outcome: 'updated', customer_id, customer: { name: 'Rozen B.V.' } });
    expect(provider.count('create')).toBe(1);
  });

  it('did not write over a customer, so it is outcome_unknown, and Overwrite may be repeated', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const request = { CustomerCode, Name: 'Rozen B.V.', Overwrite: true };
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await confirmed(plain.call, 'create_customer', request))).toBe('outcome_unknown');
    expect((await confirmed(plain.call, 'create_customer', request)).data).toMatchObject({
      outcome: 'updated',
      customer_id,
      customer: { name: 'Rozen B.V.' },
    });
    expect(provider.customers.size).toBe(1);
  });

  it('did not write over a customer, so the same without Overwrite is a conflict', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    provider.fault({ on: 'create', act: 'reset' });
    const lost = await confirmed(plain.call, 'create_customer', { CustomerCode, Name: 'Rozen B.V.', Overwrite: true });
    expect(kindOf(lost)).toBe('outcome_unknown');
    const result = await plain.create({ CustomerCode, Name: 'Rozen B.V.' });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id, fields: [{ path: 'Name' }] });
  });
});
