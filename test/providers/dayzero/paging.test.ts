import { describe, expect, it } from 'vitest';
import { dayzeroWith, seed, someone } from './fixture.ts';

/** For the whole name and for its distinct part. */
const NAME_SEARCHES = 2;

describe('The paging of DayZero', () => {
  const plain = dayzeroWith();

  it.each([
    [{ has_next: true, next_cursor: 'c-2', prev_cursor: null, has_prev: false, total: 7 }, true, 7],
    [{ has_next: false, next_cursor: null, total: 1 }, false, 1],
    [{ has_more: true, has_next: null, next_cursor: 'c-2', total_count: 7 }, true, 7],
    [{ has_next: false, next_cursor: 'c-2' }, false, undefined],
    [{ next_cursor: 'c-2' }, true, undefined],
  ])('is read under its other names: %j', async (paging, more, total) => {
    const { provider } = plain;
    const customer = provider.customers.get(seed(provider, someone()));
    const bare = { items: [customer], ...paging };
    for (const body of [
      bare,
      { success: true, code: 'OK', message: '', data: bare },
      { data: [customer], ...paging },
    ]) {
      provider.fault({ on: 'list', act: { status: 200, body } });
      const { data, text } = await plain.call('search_customer', { include_total_count: true });
      expect(data, text).toMatchObject({ has_more: more, ...(total !== undefined && { total }) });
      expect(data['next_cursor']).toBe(more ? 'c-2' : undefined);
    }
    expect(provider.requests.at(-1)?.query.get('include_total_count')).toBe('true');
  });

  it('by has_next leads a look for similar customers to the last page', async () => {
    const { provider } = plain;
    const fields = someone();
    const customer = provider.customers.get(seed(provider, fields));
    provider.fault({ on: 'list', act: { status: 200, body: { items: [], has_next: true, next_cursor: 'c-2' } } });
    // The searches for the name run at the same time, and find nobody.
    provider.fault({ on: 'list', times: NAME_SEARCHES, act: { status: 200, body: { items: [], has_next: false } } });
    provider.fault({ on: 'list', act: { status: 200, body: { items: [customer], has_next: false } } });
    expect((await plain.create(fields)).text).toMatch(/^possible_duplicate/);
    const asked = provider.requests.filter(({ method }) => method === 'GET').slice(-2 - NAME_SEARCHES);
    expect(asked.map(({ query }) => query.get('cursor'))).toEqual([
      null,
      ...Array.from({ length: NAME_SEARCHES }, () => null),
      'c-2',
    ]);
    expect(provider.count('create')).toBe(0);
  });
});
