import { describe, expect, it } from 'vitest';
import { idOf, kindOf, messageOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { anId, dayzeroWith, seed, softDelete, someone } from './fixture.ts';

describe('A DayZero customer that may be there already', () => {
  const plain = dayzeroWith();

  it.each([
    ['with an external_id', true],
    ['without one', false],
  ])('is not created beside another with the same email, %s', async (_, withId) => {
    const { provider } = plain;
    const { name, email } = someone();
    const customer_id = seed(provider, { name: 'Older name', email });
    const external_id = anId();
    const result = await plain.create({ name, email, ...(withId && { external_id }) });

    expect(errorOf(result)).toMatchObject({
      kind: 'possible_duplicate',
      candidates: [{ customer_id, name: 'Older name', email }],
    });
    expect(messageOf(result)).toContain('allow_duplicate');
    expect(provider.count('create')).toBe(0);
    const looks = provider.requests.filter(({ operation }) => operation === 'list');
    expect(looks.map(({ query }) => query.get('email'))).toContain(email);
  });

  it('is created all the same with allow_duplicate', async () => {
    const { provider } = plain;
    const { name, email } = someone();
    const older = seed(provider, { name, email });
    const external_id = anId();
    expect(kindOf(await plain.create({ name, email, external_id }))).toBe('possible_duplicate');
    const result = await plain.create({ name, email, external_id, allow_duplicate: true });

    expect(kindOf(result)).toBe('created');
    expect(idOf(result)).not.toBe(older);
    expect(provider.customers.size).toBe(2);
  });

  it('is linked by link_customer after the warning, and then existing', async () => {
    const { provider } = plain;
    const { name, email } = someone();
    const customer_id = seed(provider, { name, email });
    const external_id = anId();
    expect(kindOf(await plain.create({ name, email, external_id }))).toBe('possible_duplicate');
    await plain.call('link_customer', { external_id, customer_id });

    const result = await plain.create({ name, email, external_id });
    expect(result.data).toMatchObject({ outcome: 'existing', customer_id, external_id });
    expect(provider.count('create')).toBe(0);
  });

  it('is no duplicate of a deleted one', async () => {
    const { provider } = plain;
    const { name, email } = someone();
    softDelete(provider, seed(provider, { name, email }));
    expect(kindOf(await plain.create({ name, email }))).toBe('created');
  });

  it('is created once when two calls with the same email come at the same time', async () => {
    const { provider } = plain;
    const fields = someone();
    const kinds = (await Promise.all([plain.create(fields), plain.create(fields)])).map(kindOf);
    expect(kinds.toSorted()).toEqual(['created', 'possible_duplicate']);
    expect(provider.customers.size).toBe(1);
  });

  it('is not created when the look for it fails', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id });
    provider.fault({ on: 'list', act: { status: 500 }, times: Infinity });
    expect(kindOf(await plain.create(fields))).toBe('unavailable');
    expect(provider.count('create')).toBe(0);

    provider.reset();
    expect(kindOf(await plain.create(fields))).toBe('created');
  });
});

describe('The external_id of a DayZero customer', () => {
  const plain = dayzeroWith();

  it('is compared letter by letter', async () => {
    const { provider } = plain;
    const external_id = `Case-${anId()}`;
    const ids = [external_id, external_id.toLowerCase(), `${external_id}\u00e9`, `${external_id}e\u0301`];
    for (const id of ids) expect(kindOf(await plain.create(someone({ external_id: id })))).toBe('created');
    expect(provider.customers.size).toBe(4);
  });

  it('is refused beyond 255 characters and with control characters, before anything is sent', async () => {
    for (const external_id of ['x'.repeat(256), 'crm\u0000-1', 'crm\n-1', '\u001b[31mcrm'])
      expect(errorOf(await plain.create(someone({ external_id })))).toMatchObject({
        kind: 'invalid_input',
        fields: [{ path: 'external_id' }],
      });
    expect(plain.provider.count('*')).toBe(0);
  });

  it('explains the next step if no customer has it', async () => {
    for (const tool of ['get_customer', 'archive_customer', 'update_customer']) {
      const result = await plain.call(tool, {
        external_id: anId(),
        ...(tool === 'update_customer' && { notes: 'x' }),
      });
      expect(kindOf(result)).toBe('not_found');
      expect(messageOf(result)).toContain('link_customer');
    }
    expect(plain.provider.count('*')).toBe(0);
  });
});
