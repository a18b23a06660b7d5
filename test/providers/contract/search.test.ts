import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { kits } from '../../support/providers.ts';
import { openScene, refusalIn, rowsOf, UNREADABLE } from './scene.ts';

/** Of the median row of customers with no more than an external id, a name and an email. */
const MAX_ROW_TOKENS = 60;

describe.each(kits)('search_customer at $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored, sent, forgetRequests } = scene;
  const { title } = kit;

  it('visits every customer exactly once on the way to the end', async () => {
    const made = await Promise.all(Array.from({ length: 13 }, fresh).map(({ few }) => create(few)));
    for (const limit of [1, 4, 13, 50]) {
      const seen: string[] = [];
      let cursor: unknown;
      for (let pages = 1; pages === 1 || cursor !== undefined; pages += 1) {
        expect(pages).toBeLessThan(20);
        const next = cursor === undefined ? {} : { [kit.cursorField]: cursor };
        const { data } = await call('search_customer', { [kit.limitField]: limit, ...next });
        seen.push(...rowsOf(data).map((row) => String(row.customer_id)));
        cursor = data.next_cursor;
        expect(data.has_more).toBe(cursor !== undefined);
      }
      expect(seen.toSorted()).toEqual(made.toSorted());
    }
  });

  it('shows the content of each customer, and nothing twice', async () => {
    const { id, all } = fresh();
    const customerId = await create(all, id);
    const { data } = await call('search_customer');
    expect(data).toMatchObject({ has_more: false });
    const [row, ...others] = rowsOf(data);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ customer_id: customerId, external_id: id });
    const document = stored(customerId);
    const shown = Object.entries(Object(row?.customer));
    expect(shown.length).toBeGreaterThan(5);
    for (const [name, value] of shown) expect.soft(document[name], name).toEqual(value);
    for (const name of ['id', 'type', 'resource', 'business_id', 'created_at', 'is_deleted', 'deleted_at'])
      expect.soft(row?.customer).not.toHaveProperty(name);
    expect(Object.values(Object(row?.customer))).not.toContain(id);
  });

  it('shows a customer with little in few words', async () => {
    // The ids are random, and so is the number of tokens that each of them takes.
    const made = await Promise.all(Array.from({ length: 9 }, fresh).map(({ few, id }) => create(few, id)));
    const rows = rowsOf((await call('search_customer')).data);
    expect(rows.map(({ customer_id: id }) => id).toSorted()).toEqual(made.toSorted());
    const tokens = rows.map((row) => countTokens(JSON.stringify(row))).toSorted((a, b) => a - b);
    expect(tokens[4]).toBeLessThanOrEqual(MAX_ROW_TOKENS);
  });

  it('returns the total on the first page', async () => {
    for (let n = 0; n < 5; n += 1) await create(fresh().few);
    // Not the server that remembers the customers of the other tests.
    const { data } = await call('search_customer', { [kit.limitField]: 2 }, scene.shortTimeoutServer);
    expect(data).toMatchObject({ has_more: true, total: 5 });
    expect((await call('search_customer', { [kit.limitField]: 9 })).data).toMatchObject({ has_more: false, total: 5 });
  });

  it('returns an empty list if there are no customers', async () => {
    expect((await call('search_customer')).data).toMatchObject({ customers: [], has_more: false });
  });

  it('takes null and an empty string as not given', async () => {
    await create(fresh().few);
    forgetRequests();
    const blanks = { [kit.cursorField]: '', [kit.limitField]: null };
    expect(rowsOf((await call('search_customer', blanks)).data)).toHaveLength(1);
    expect(sent().map(({ query }) => query.has(kit.cursorField))).toEqual([false]);
  });

  it.each(UNREADABLE.map((act) => ({ act })))(
    'never returns an unusable answer as an empty list ($act)',
    async ({ act }) => {
      await create(fresh().few);
      scene.standIn.fault({ on: 'list', times: Infinity, act });
      const answer = await call('search_customer');
      if (answer.isError) refusalIn(answer, 'bad_response');
      else expect(answer.data.warnings, answer.text).toEqual([expect.stringContaining(title)]);
    },
  );

  it('keeps members of the documents that are new', async () => {
    const customerId = await create(fresh().few);
    scene.standIn.fault({ on: 'list', act: 'extra' });
    const [row] = rowsOf((await call('search_customer')).data);
    expect(row).toMatchObject({ customer_id: customerId, customer: { surprise: 'new' } });
  });
});
