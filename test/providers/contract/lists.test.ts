import { describe, expect, it } from 'vitest';
import { connect } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import { openScene, refusalIn, rowsOf } from './scene.ts';

describe.each(kits)('lists of $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored } = scene;
  const { title, cursorField } = kit;

  /** The next lists are answered so. */
  const answer = (body: unknown): void =>
    scene.standIn.fault({ on: 'list', times: Infinity, act: { status: 200, body } });
  const found = async (args = {}): Promise<Readonly<Record<string, unknown>>> =>
    (await call('search_customer', args)).data;
  const ids = (data: Readonly<Record<string, unknown>>): unknown[] => rowsOf(data).map((row) => row.customer_id);

  it('that show a customer twice show it once', async () => {
    const [one, two] = [await create(fresh().few), await create(fresh().few)];
    answer(kit.list([stored(one), stored(two), { ...stored(one), surprise: 1 }]));
    const data = await found();
    expect(ids(data)).toEqual([one, two]);
    expect(data).not.toHaveProperty('warnings');
  });

  it('with unreadable rows return the others with a warning', async () => {
    const customerId = await create(fresh().few);
    answer(kit.list([null, 'text', 7, [], {}, { id: null }, { id: {} }, { id: '' }, stored(customerId)]));
    const data = await found();
    expect(ids(data)).toEqual([customerId]);
    expect(data['warnings']).toEqual([expect.stringMatching(new RegExp(`${title}.* 8 `))]);
  });

  it.each([[{}], ['text'], [7], [null], [true], [{ 0: { id: 'x' }, length: 1 }]])(
    'that are no list (%j) are bad_response',
    async (rows) => {
      await create(fresh().few);
      answer(kit.list(rows));
      refusalIn(await call('search_customer'), 'bad_response');
    },
  );

  it('whose cursor leads to the same page end there, with a warning', async () => {
    const customerId = await create(fresh().few);
    answer(kit.list([stored(customerId)], 'again'));
    const first = await found();
    expect(first).toMatchObject({ has_more: true, next_cursor: 'again' });
    const second = await found({ [cursorField]: 'again' });
    expect(second).toMatchObject({ has_more: false, warnings: [expect.stringContaining(title)] });
    expect(second).not.toHaveProperty('next_cursor');
  });

  it.each([
    ['whose cursor leads to the same page', (rows: unknown) => kit.list(rows, 'again')],
    ['with an unreadable row', (rows: unknown) => kit.list([rows, { id: null }].flat())],
  ])('%s are not all customers for find', async (_, body) => {
    const customerId = await create(fresh().few);
    const server = await connect(scene.environment);
    try {
      answer(body([stored(customerId)]));
      // The second call reads nothing and must not forget what the list lacks.
      for (const find of ['Nowhere to be found', 'Nowhere either']) {
        const { data, text } = await scene.call('search_customer', { find }, server);
        expect(data, text).toMatchObject({ complete: false, warnings: [expect.stringContaining(title)] });
        expect(text).not.toContain('to continue');
      }
      expect((await scene.call('search_customer', {}, server)).data).not.toHaveProperty('total');
    } finally {
      await server.close();
    }
  });

  it('show no strangers where the provider ignores a filter', async () => {
    const made = [await create(fresh().few, fresh().id), await create(fresh().few, fresh().id)];
    const [one, two] = made.map((id) => stored(id));
    for (const [filter, field] of Object.entries(kit.exact)) {
      // Notify answers its search with one customer.
      scene.standIn.fault({ on: kit.lookUp ?? 'list', act: { status: 200, body: kit.list([two, one], 'more') } });
      scene.standIn.fault({ on: kit.lookUp ?? 'list', act: { status: 200, body: kit.list([two]) } });
      const asked = { [filter]: Object(one)[field] };
      const { data } = await call('search_customer', asked);
      expect(ids(data), filter).toEqual([made[0]]);
      if (kit.lookUp !== undefined) break;
      expect(data, filter).toMatchObject({
        has_more: true,
        warnings: [expect.stringContaining(`not match ${filter}`)],
      });
      expect(data, filter).not.toHaveProperty('total');
      expect(ids((await call('search_customer', asked)).data), filter).toEqual([]);
    }
  });

  it('whose total cannot be right, or is missing, are counted', async () => {
    const made = [];
    for (let n = 1; n <= 5; n += 1) made.push(await create(fresh().few));
    const limit = { [kit.limitField]: 2 };
    const rows = made.slice(0, 2).map((id) => stored(id));
    for (const total of [undefined, null, 0, 1, 2, -1, 2.5, 'many', '5', 1e300]) {
      const page = kit.list(rows, 'more');
      const counts = { total_count: total };
      const body = { ...Object(page), ...counts, meta: { pagination: { has_more: true, cursor: 'more', ...counts } } };
      const server = await connect(scene.environment);
      scene.standIn.fault({ on: 'list', act: { status: 200, body } });
      const { data } = await scene.call('search_customer', limit, server);
      await server.close();
      expect(data, String(total)).toMatchObject({ has_more: true, total: 5 });
    }
    answer({ ...Object(kit.list(rows)), total_count: 99, meta: { pagination: { has_more: false, total_count: 99 } } });
    expect(await found({ [kit.limitField]: 9 })).toMatchObject({ has_more: false, total: 2 });
  });

  it('that have more pages but no cursor end with a warning', async () => {
    const page = JSON.stringify(kit.list([stored(await create(fresh().few))], 'none'));
    answer(JSON.parse(page.replace('"none"', 'null').replace(/(?<="href":")[^"]*/, 'https://else.example/')));
    const data = await found();
    expect(data).toMatchObject({ has_more: true, warnings: [expect.stringContaining(title)] });
    expect(data).not.toHaveProperty('next_cursor');
  });

  it('whose cursors lead in a circle are not all customers for find', async () => {
    const customerId = await create(fresh().few);
    const server = await connect(scene.environment);
    try {
      for (const cursor of ['a', 'b', 'a'])
        scene.standIn.fault({ on: 'list', act: { status: 200, body: kit.list([stored(customerId)], cursor) } });
      answer(kit.list([stored(customerId)], 'b'));
      const { data, text } = await scene.call('search_customer', { find: 'Nowhere to be found' }, server);
      expect(data, text).toMatchObject({ complete: false, warnings: [expect.stringContaining(title)] });
      expect(text).not.toContain('to continue');
    } finally {
      await server.close();
    }
  });

  it('do not keep a create waiting when their cursors lead in a circle', async () => {
    const other = stored(await create(fresh().few));
    scene.forgetRequests();
    for (const cursor of ['a', 'b', 'a'])
      scene.standIn.fault({ on: 'list', act: { status: 200, body: kit.list([other], cursor) } });
    answer(kit.list([other], 'b'));
    const { data, text } = await call('create_customer', fresh().few);
    expect(data, text).toMatchObject({ outcome: 'created' });
    // What reads the circle, and two searches by name at most.
    expect(scene.standIn.count('list')).toBeLessThanOrEqual(5);
  });

  it('name a candidate once although their cursors lead in a circle', async () => {
    const { few } = fresh();
    const other = stored(await create(few));
    for (const cursor of ['b', 'c', 'a'])
      scene.standIn.fault({ on: 'list', act: { status: 200, body: kit.list([other], cursor) } });
    answer(kit.list([other], 'b'));
    const { error } = refusalIn(await call('create_customer', few), 'possible_duplicate');
    expect(error.candidates).toMatchObject([{ customer_id: other['id'] }]);
  });

  it('that go on with new cursors but no new customers end for find', async () => {
    const customerId = await create(fresh().few);
    const server = await connect(scene.environment);
    try {
      for (let page = 1; page <= 40; page += 1) {
        const rows = page % 2 === 0 ? [] : [stored(customerId)];
        scene.standIn.fault({ on: 'list', act: { status: 200, body: kit.list(rows, `next-${page}`) } });
      }
      const without = kit.clear.field;
      const { data, text } = await scene.call('search_customer', { without }, server);
      expect(data, text).toMatchObject({ total: 1, complete: false, warnings: [expect.stringContaining(title)] });
      expect(text).not.toContain('to continue');
      expect(scene.standIn.count('list')).toBeLessThan(20);
    } finally {
      await server.close();
    }
  });

  it('may begin with a byte-order mark, as any answer may', async () => {
    const { few } = fresh();
    const customerId = await create(few);
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    const marked = (body: unknown) => ({ status: 200, body: `\ufeff${JSON.stringify(body)}`, headers });
    scene.standIn.fault({ on: 'list', act: marked(kit.list([stored(customerId)])) });
    expect(ids(await found())).toEqual([customerId]);
    scene.standIn.fault({ on: 'get', act: marked(stored(customerId)) });
    const read = await call('get_customer', { customer_id: customerId });
    expect(read.data, read.text).toMatchObject({ customer_id: customerId });
    scene.standIn.fault({ on: 'create', act: { ...marked(stored(customerId)), status: 201 } });
    const made = await call('create_customer', few);
    expect(made.data['customer_id'] ?? made.data['error'], made.text).toBeDefined();
    scene.standIn.fault({ on: 'update', act: { ...marked(kit.refusal('Marked words')), status: 400 } });
    const args = { customer_id: customerId, [kit.change.field]: kit.change.value };
    expect(refusalIn(await call('update_customer', args), 'invalid_input').message).toContain('Marked words');
  });
});
