import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kindOf } from '../../support/answers.ts';
import type { StandIn } from '../../support/stand-in.ts';
import { aCode, idsOf, notifyWith, seed } from './fixture.ts';
import { startNotify } from './stand-in.ts';

describe('Paging through Notify', () => {
  const plain = notifyWith();

  it('follows From, which is the first of the next page, so that no customer is listed twice', async () => {
    const { provider } = plain;
    const newestFirst = Array.from({ length: 5 }, () => seed(provider)).toReversed();
    const first = await plain.call('search_customer', { Limit: 2 });
    expect(idsOf(first)).toEqual(newestFirst.slice(0, 2));
    expect(first.data).toMatchObject({ has_more: true, next_cursor: newestFirst[2] });
    const second = await plain.call('search_customer', { Limit: 2, From: first.data['next_cursor'] });
    expect(idsOf(second)).toEqual(newestFirst.slice(2, 4));
    const third = await plain.call('search_customer', { Limit: 2, From: second.data['next_cursor'] });
    expect(idsOf(third)).toEqual(newestFirst.slice(4));
    expect(third.data).not.toHaveProperty('next_cursor');
    expect(third.data['has_more']).toBe(false);
    expect(provider.requests.map(({ query }) => Object.fromEntries(query))).toEqual([
      { Limit: '2' },
      // A first page also states how many customers there are.
      { Limit: '250' },
      { Limit: '2', From: newestFirst[2] },
      { Limit: '2', From: newestFirst[4] },
    ]);
  });

  it('takes a link without an origin as one to Notify', async () => {
    const { provider } = plain;
    const next = { href: '/v2/customers?limit=25&from=n-26', type: 'application/hal+json' };
    const page = {
      customers: [{ id: 'n-1', customerCode: 'K', name: 'A' }],
      count: 1,
      links: { previous: null, next },
    };
    provider.fault({ on: 'list', act: { status: 200, body: page } });
    const { data } = await plain.call('search_customer');
    expect(data).toMatchObject({ customers: [{ customer_id: 'n-1' }], has_more: true, next_cursor: 'n-26' });
    expect(data).not.toHaveProperty('warnings');
  });

  it('does not go on from a link that leads to where it is', async () => {
    const { provider } = plain;
    const only = seed(provider);
    const next = { href: `${provider.origin}/v2/customers?from=${only}` };
    const page = { customers: [provider.customers.get(only)], count: 1, links: { previous: null, next } };
    provider.fault({ on: 'list', act: { status: 200, body: page } });
    const { data } = await plain.call('search_customer', { From: only });
    expect(data).not.toHaveProperty('next_cursor');
  });
});

describe('A Notify whose links lead elsewhere', () => {
  const strange = notifyWith({ foreignNext: true });
  let elsewhere: StandIn;
  beforeAll(async () => {
    ({ standIn: elsewhere } = await startNotify());
  });
  afterAll(() => elsewhere.close());

  it('is not followed: the answer has has_more, a warning and no cursor', async () => {
    const { provider } = strange;
    const newestFirst = Array.from({ length: 3 }, () => seed(provider)).toReversed();
    const result = await strange.call('search_customer', { Limit: 2 });
    expect(idsOf(result)).toEqual(newestFirst.slice(0, 2));
    expect(result.data).toMatchObject({ has_more: true, warnings: [expect.stringContaining('Notify')] });
    expect(result.data).not.toHaveProperty('next_cursor');
    expect(provider.count('*')).toBe(2);
  });

  it('does not send the key to another host', async () => {
    const { provider } = strange;
    const next = { href: `${elsewhere.origin}/v2/customers?limit=1&from=n-2`, type: 'application/hal+json' };
    const page = {
      customers: [{ id: 'n-1', customerCode: 'K', name: 'A' }],
      count: 1,
      links: { previous: null, next },
    };
    provider.fault({ on: 'list', act: { status: 200, body: page }, times: Infinity });
    provider.fault({ on: 'search', act: { status: 405 }, times: Infinity });
    const { data } = await strange.call('search_customer');
    expect(data).toMatchObject({ has_more: true, warnings: [expect.any(String)] });
    await strange.call('get_customer', { CustomerCode: aCode() });
    await strange.create({ CustomerCode: aCode(), Name: 'Acme' });
    expect(elsewhere.count('*')).toBe(0);
    expect(provider.count('list')).toBeGreaterThanOrEqual(3);
  });

  it('does not make a create where the code may be further down the list', async () => {
    const { provider } = strange;
    const CustomerCode = aCode();
    seed(provider, { customerCode: CustomerCode });
    for (let newer = 0; newer < 250; newer += 1) seed(provider);
    provider.fault({ on: 'search', act: { status: 405 }, times: Infinity });
    const result = await strange.create({ CustomerCode, Name: 'Bloemen B.V.' });
    expect(result.isError).toBe(true);
    expect(provider.count('create')).toBe(0);
  });
});

describe('A Notify behind a proxy that refuses a GET with a body', () => {
  const proxied = notifyWith();

  it.each([400, 405, 411, 413, 415, 501])('with a %i has its list read through, page by page', async (status) => {
    const { provider } = proxied;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    for (let newer = 0; newer < 250; newer += 1) seed(provider);
    provider.fault({ on: 'search', act: { status, body: 'Bad request' }, times: Infinity });

    const found = await proxied.call('get_customer', { CustomerCode });
    expect(found.data).toMatchObject({ customer_id, external_id: CustomerCode });
    expect(provider.count('list')).toBe(2);
    expect(kindOf(await proxied.create({ CustomerCode, Name: 'Bloemen B.V.' }))).toBe('existing');
    expect(kindOf(await proxied.call('get_customer', { CustomerCode: aCode() }))).toBe('not_found');
    expect(provider.count('create')).toBe(0);
  });

  it('gets a create of a code that is not on the list', async () => {
    const { provider } = proxied;
    provider.fault({ on: 'search', act: { status: 405 }, times: Infinity });
    seed(provider);
    expect(kindOf(await proxied.create({ CustomerCode: aCode(), Name: 'New' }))).toBe('created');
  });
});

describe('A Notify whose search answers about another code', () => {
  const strange = notifyWith();

  it('is ignored: the list decides whether the code is taken', async () => {
    const { provider } = strange;
    const code = aCode();
    const id = seed(provider, { customerCode: code, name: 'Tulpen B.V.' });
    const other = provider.customers.get(seed(provider));
    provider.fault({ on: 'search', times: Infinity, act: { status: 200, body: other } });
    const found = await strange.call('get_customer', { CustomerCode: code });
    expect(found.data, found.text).toMatchObject({ customer_id: id });
    const made = await strange.create({ CustomerCode: code, Name: 'Tulpen B.V.' });
    expect(made.data, made.text).toMatchObject({ outcome: 'existing', customer_id: id });
  });
});
