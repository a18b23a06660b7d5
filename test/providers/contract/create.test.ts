import { describe, expect, it, vi } from 'vitest';
import { idOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import { ODD_ANSWERS, openScene, refusalIn, UNREADABLE } from './scene.ts';

describe.each(kits)('create_customer at $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored, recover, forgetRequests } = scene;
  const { title, externalIdField } = kit;

  it('sends exactly the fields that were given', async () => {
    const [{ id, all, few }, other] = [fresh(), fresh()];
    await create(all, id);
    await create(other.few);
    const bodies = scene.standIn.requests.filter(({ operation }) => operation === 'create').map(({ body }) => body);
    expect(bodies).toEqual([{ ...all, ...(kit.keepsExternalId && { [externalIdField]: id }) }, other.few]);
    expect(Object.keys(few).length).toBeLessThan(Object.keys(all).length);
  });

  it('answers with both ids and the document as the provider keeps it', async () => {
    const { id, all } = fresh();
    const answer = await call('create_customer', { ...all, [externalIdField]: id });
    expect(answer.data).toEqual({
      outcome: 'created',
      customer_id: expect.any(String),
      external_id: id,
      customer: stored(idOf(answer)),
    });
  });

  it('works without an external id, and then answers none', async () => {
    const answer = await call('create_customer', fresh().few);
    expect(answer.data).toEqual({
      outcome: 'created',
      customer_id: expect.any(String),
      customer: stored(idOf(answer)),
      warnings: [expect.stringContaining('second customer')],
    });
  });

  it('takes null, an empty string and an empty list as not given', async () => {
    const { all, few } = fresh();
    const blanks = [null, '', []];
    const rest = Object.keys(all).filter((field) => !(field in few));
    expect(rest.length).toBeGreaterThanOrEqual(blanks.length);
    for (let shift = 0; shift < blanks.length; shift += 1) {
      scene.standIn.reset();
      const blank = Object.fromEntries(rest.map((field, index) => [field, blanks[(index + shift) % 3]]));
      idOf(await call('create_customer', { ...blank, ...few, [externalIdField]: blanks[shift] }));
      expect(scene.standIn.requests.find(({ operation }) => operation === 'create')?.body).toEqual(few);
    }
  });

  it('gives the same customer when it is repeated', async () => {
    const { id, all } = fresh();
    const first = await create(all, id);
    const second = await call('create_customer', { ...all, [externalIdField]: id });
    expect(second.data).toMatchObject({ outcome: 'existing', customer_id: first, external_id: id });
    expect(second.data.customer).toEqual(stored(first));
    expect(scene.standIn.customers.size).toBe(1);
  });

  it('makes one customer of ten that run at once', async () => {
    const { id, all } = fresh();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => call('create_customer', { ...all, [externalIdField]: id })),
    );
    expect(scene.standIn.customers.size).toBe(1);
    expect(new Set(answers.map(idOf))).toEqual(new Set(scene.standIn.customers.keys()));
    const outcomes = answers.map(({ data }) => data.outcome).toSorted();
    expect(outcomes).toEqual(['created', ...Array.from({ length: 9 }, () => 'existing')]);
  });

  it('makes ten customers of ten with different external ids', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, fresh).map(({ id, all }) => create(all, id)));
    expect(new Set(ids)).toEqual(new Set(scene.standIn.customers.keys()));
    expect(ids).toHaveLength(10);
  });

  it('makes a new customer once the one with this external id is deleted', async () => {
    const { id, few } = fresh();
    const first = await create(few, id);
    scene.standIn.customers.delete(first);
    const second = await call('create_customer', { ...few, [externalIdField]: id });
    expect(second.data).toMatchObject({ outcome: 'created', external_id: id });
    expect([...scene.standIn.customers.keys()]).toEqual([idOf(second)]);
    expect(idOf(second)).not.toBe(first);
  });

  it.each(ODD_ANSWERS.map((act) => ({ act })))(
    'counts as done when the provider accepts it and answers oddly ($act)',
    async ({ act }) => {
      const { id, few } = fresh();
      scene.standIn.fault({ on: 'create', when: 'after', act });
      const answer = await call('create_customer', { ...few, [externalIdField]: id });
      expect(answer.data, answer.text).toMatchObject({ outcome: 'created', external_id: id });
      expect([...scene.standIn.customers.keys()]).toEqual([idOf(answer)]);
      expect(scene.standIn.count('create')).toBe(1);
    },
  );

  it.each(ODD_ANSWERS.map((act) => ({ act })))(
    'without an external id counts as done as well when it is answered oddly ($act)',
    async ({ act }) => {
      scene.standIn.fault({ on: 'create', when: 'after', act });
      const answer = await call('create_customer', fresh().few);
      expect(answer.data, answer.text).toMatchObject({ outcome: 'created' });
      const [only, ...others] = scene.standIn.customers.keys();
      expect(others).toEqual([]);
      if (answer.data.customer_id === undefined)
        expect(answer.data.warnings).toContainEqual(expect.stringContaining('search_customer'));
      else expect(answer.data.customer_id).toBe(only);
    },
  );

  it.each(['reset', 'hang'] as const)(
    'finds the customer whose create was carried out and lost its answer (%s)',
    async (act) => {
      const { id, few } = fresh();
      scene.standIn.fault({ on: 'create', when: 'after', act });
      const answer = await call('create_customer', { ...few, [externalIdField]: id }, scene.shortTimeoutServer);
      expect([...scene.standIn.customers.keys()]).toEqual([idOf(answer)]);
    },
  );

  it('is unknown if neither the answer nor a search arrives, and the next call finds the customer', async () => {
    const { id, few } = fresh();
    scene.standIn.fault({ on: 'create', when: 'after', times: Infinity, act: 'hang' });
    const losing = call('create_customer', { ...few, [externalIdField]: id }, scene.shortTimeoutServer);
    await vi.waitUntil(() => scene.standIn.count('create') > 0, { timeout: 5_000, interval: 5 });
    scene.standIn.fault({ on: kit.probe, times: Infinity, act: 'hang' });
    const { message } = refusalIn(await losing, 'outcome_unknown');
    expect(message).toContain(title);
    expect(message).toContain('Call again with the same');
    recover();
    const found = await call('create_customer', { ...few, [externalIdField]: id }, scene.shortTimeoutServer);
    expect([...scene.standIn.customers.keys()]).toEqual([idOf(found)]);
  });

  it('without an external id is sent once and never again, whatever comes back', async () => {
    for (const act of [{ status: 500 }, { status: 503 }, { status: 504 }, 'reset'] as const) {
      scene.standIn.reset();
      scene.standIn.fault({ on: 'create', when: 'after', act });
      const answer = await call('create_customer', fresh().few);
      expect(refusalIn(answer, 'outcome_unknown').message).toContain('search_customer');
      expect(scene.standIn.count('create')).toBe(1);
      expect(scene.standIn.customers.size).toBe(1);
    }
  });

  it('is not lost on a connection that the provider is closing', async () => {
    scene.standIn.fault({ on: '*', times: Infinity, act: 'stale' });
    const made = [];
    for (let n = 0; n < 4; n += 1) made.push(await create(fresh().few));
    expect([...scene.standIn.customers.keys()]).toEqual(made);
    expect(scene.standIn.count('create')).toBe(4);
  });

  it('that was refused may be corrected and repeated', async () => {
    const { id, few } = fresh();
    scene.standIn.fault({ on: 'create', act: { status: 422, body: kit.refusal('The name is odd') } });
    const refused = await call('create_customer', { ...few, [externalIdField]: id });
    expect(refusalIn(refused, 'invalid_input').message).toContain('The name is odd');
    const corrected = await call('create_customer', { ...few, [externalIdField]: id });
    expect(corrected.data).toMatchObject({ outcome: 'created' });
  });

  it('is sent again after a 429, because nothing was done', async () => {
    const { id, few } = fresh();
    scene.standIn.fault({ on: 'create', act: { status: 429, headers: { 'retry-after': '1' } } });
    expect(await create(few, id)).toEqual([...scene.standIn.customers.keys()].join());
    expect(scene.standIn.count('create')).toBe(2);
  });

  it.each([...UNREADABLE, { status: 500 }, { status: 401 }].map((act) => ({ act })))(
    'sends nothing when the look for a duplicate is answered with $act',
    async ({ act }) => {
      const { id, few } = fresh();
      idOf(await call('create_customer', { ...few, [externalIdField]: id }, scene.shortTimeoutServer));
      forgetRequests();
      scene.standIn.fault({ on: kit.probe, times: Infinity, act });
      await call('create_customer', { ...few, [externalIdField]: id });
      expect(scene.standIn.count('create')).toBe(0);
    },
  );

  it('makes no second customer of one that it has never met', async () => {
    const { id, few } = fresh();
    const duplicate = await call('create_customer', { ...few, [externalIdField]: id }, scene.shortTimeoutServer);
    const answer = await call('create_customer', { ...few, [externalIdField]: id });
    expect([...scene.standIn.customers.keys()]).toEqual([idOf(duplicate)]);
    expect(answer.data.customer_id ?? errorOf(answer)?.candidates).toEqual(
      kit.lookUp === undefined ? [expect.objectContaining({ customer_id: idOf(duplicate) })] : idOf(duplicate),
    );
  });
});
