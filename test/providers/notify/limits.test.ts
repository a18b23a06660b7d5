import { describe, expect, it } from 'vitest';
import { last } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { notifyWith } from './fixture.ts';

const MAX_LENGTHS: readonly (readonly [string, number])[] = [
  ['CustomerCode', 250],
  ['Name', 250],
  ['Address', 250],
  ['Postalcode', 10],
  ['City', 250],
  ['Country', 2],
  ['Contact', 250],
  ['Phone', 20],
  ['Mobile', 20],
  ['Email', 250],
  ['InvoiceEmail', 250],
  ['RegistrationNumber', 10],
];

/** A value of this length that Notify takes. */
function valueOf(field: string, length: number): string {
  return (field.endsWith('Email') ? '@b.example' : '').padStart(length, 'x');
}

describe('The limits of Notify', () => {
  const plain = notifyWith();

  it('are used to the last character', async () => {
    const fields = Object.fromEntries(MAX_LENGTHS.map(([field, length]) => [field, valueOf(field, length)]));
    const result = await plain.create({ ...fields, Language: 'english' });
    expect(result.data).toMatchObject({ outcome: 'created' });
    expect(last(plain.provider, 'create')?.body).toEqual({ ...fields, Language: 'english' });
  });

  it.each(MAX_LENGTHS)('are kept before anything is sent: %s has at most %i characters', async (field, length) => {
    const value = valueOf(field, length + 1);
    const created = await plain.create({ Name: 'Acme', [field]: value });
    expect(errorOf(created)).toMatchObject({ kind: 'invalid_input', fields: [{ path: field }] });
    if (field !== 'CustomerCode') {
      const updated = await plain.call('update_customer', { customer_id: 'n-1', [field]: value });
      expect(errorOf(updated)).toMatchObject({ kind: 'invalid_input', fields: [{ path: field }] });
    }
    expect(plain.provider.count('*')).toBe(0);
  });

  it.each([
    ['create_customer', { Name: 'A', Country: 'N' }, 'Country'],
    ['create_customer', { Name: 'A', Language: 'dutch ' }, 'Language'],
    ['update_customer', { customer_id: 'n-1', Language: 'nl' }, 'Language'],
    ['search_customer', { Customer: 'x'.repeat(251) }, 'Customer'],
  ])('are kept before anything is sent: %s of %o', async (tool, args, path) => {
    expect(errorOf(await plain.call(tool, args))).toMatchObject({ kind: 'invalid_input', fields: [{ path }] });
    expect(plain.provider.count('*')).toBe(0);
  });
});
