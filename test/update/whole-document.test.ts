import { setImmediate as tick } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { LAYER_ACCESS_TOKEN, LAYER_BUSINESS_ID } from '../providers/layer/stand-in.ts';
import { kindOf } from '../support/answers.ts';
import { Report } from '../support/report.ts';
import type { Act, StandIn } from '../support/stand-in.ts';
import { EXTRAS, layerWith, seed } from './layer.ts';

const TAGS = [{ key: 'region', value: 'north' }];
const TIMES = 10;
const report = new Report('What a PUT takes from a Layer customer');
afterAll(() => process.stdout.write(`\n${String(report)}\n`));

/** Waits until so many writes have arrived. */
async function writesOf(standIn: StandIn, count: number): Promise<void> {
  while (standIn.count('update') < count) await tick();
}

/** As it was done before: what was read goes back, and is sent again as it is. */
async function naivePut(standIn: StandIn, id: string, change: Record<string, unknown>): Promise<void> {
  const url = `${standIn.origin}/v1/businesses/${LAYER_BUSINESS_ID}/customers/${id}`;
  const headers = { authorization: `Bearer ${LAYER_ACCESS_TOKEN}`, 'content-type': 'application/json' };
  const { data } = Object(await (await fetch(url, { headers })).json());
  const { external_id, individual_name, company_name, email, mobile_phone, office_phone, memo: notes } = data;
  const document = { external_id, individual_name, company_name, email, mobile_phone, office_phone, notes, ...change };
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const response = await fetch(url, { method: 'PUT', headers, body: JSON.stringify(document) }).catch(
      () => undefined,
    );
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe('a PUT of a customer with memo, metadata and reference_number', () => {
  const variants = [
    ['PATCH', {}, ['PUT', 'PATCH', 'PATCH'], true],
    ['PATCH, which takes metadata', { patchTakesExtras: true }, ['PUT', 'PATCH', 'PATCH'], false],
    ['only memo', { memoOnly: true }, ['PUT', 'PATCH', 'PATCH', 'PATCH'], true],
    ['no PATCH (404), only memo', { patchMissing: 404, memoOnly: true }, ['PUT', 'PATCH', 'PUT', 'PUT'], true],
    ['no PATCH (405), only memo', { patchMissing: 405, memoOnly: true }, ['PUT', 'PATCH', 'PUT', 'PUT'], true],
  ] as const;

  describe.each(variants)('with %s', (name, options, methods, loses) => {
    const scene = layerWith(options);

    it('loses none of it unseen', async () => {
      const { standIn, update } = scene;
      const id = seed(standIn, EXTRAS);
      const startedAt = performance.now();
      const { data, text } = await update({ customer_id: id, tags: TAGS });
      const stored = standIn.customers.get(id);
      expect(stored, text).toMatchObject({ memo: 'Prefers mornings', email: 'grete@hermann.example' });
      expect(stored?.['transaction_tags']).toEqual([expect.objectContaining(TAGS[0])]);
      const tags = { from: [{ key: 'department', value: 'sales' }], to: TAGS };
      const lost = Object.fromEntries(Object.entries(EXTRAS).map(([field, from]) => [field, { from, to: null }]));
      expect(data).toMatchObject({ outcome: 'updated', customer: stored, warnings: expect.anything() });
      expect(data['changed']).toEqual({ tags, ...(loses && lost) });
      expect(stored).toMatchObject(loses ? { metadata: null, reference_number: null } : EXTRAS);
      expect(String(data['warnings'])).toMatch(/metadata, reference_number/);
      expect(scene.writes().slice(0, methods.length)).toEqual(methods);
      const outcome = loses ? 'memo kept; metadata and reference_number said' : 'all kept';
      report.add('PUT of tags', name, {
        subject: 'server',
        outcome,
        requests: standIn.count('*'),
        ms: performance.now() - startedAt,
      });
    });

    it.each([
      ['changes', { notes: 'New' }, 'New'],
      ['clears', { clear: ['notes'] }, null],
    ] as const)('%s the notes, too, where both are named', async (_, change, memo) => {
      const { standIn, update } = scene;
      const id = seed(standIn);
      const { data, text } = await update({ customer_id: id, tags: TAGS, ...change });
      expect(standIn.customers.get(id), text).toMatchObject({ memo, email: 'grete@hermann.example' });
      const changed = { notes: { from: 'Prefers mornings', to: memo }, tags: { to: TAGS } };
      expect(data).toMatchObject({ outcome: 'updated', changed });
      expect(data).not.toHaveProperty('warnings');
    });

    it('does not happen for a change of fields that PATCH has', async () => {
      const { standIn, update } = scene;
      const id = seed(standIn, EXTRAS);
      const before = standIn.customers.get(id);
      const { data } = await update({ customer_id: id, email: 'new@hermann.example' });
      expect(data).toMatchObject({ outcome: 'updated' });
      if ('patchMissing' in options) expect(data['warnings']).toEqual([expect.stringContaining('metadata')]);
      else expect(standIn.customers.get(id)).toEqual({ ...before, email: 'new@hermann.example' });
    });
  });

  it('loses all three without a warning with a plain PUT', async () => {
    const { standIn } = baseline;
    const id = seed(standIn, EXTRAS);
    await naivePut(standIn, id, { email: 'new@hermann.example' });
    expect(standIn.customers.get(id)).toMatchObject({ memo: null, metadata: null, reference_number: null });
    report.add('PUT of an e-mail', 'only memo', {
      subject: 'baseline (read, merge, PUT)',
      outcome: 'all three lost, unsaid',
      requests: standIn.count('*'),
      ms: 0,
    });
  });
  const baseline = layerWith({ memoOnly: true });
});

describe('a PUT whose fate is unclear', () => {
  const scene = layerWith();
  const fates: readonly (readonly [string, Act, 'before' | 'after'])[] = [
    ['503', { status: 503 }, 'before'],
    ['a lost answer', 'reset', 'after'],
    ['a lost request', 'reset', 'before'],
    ['503 although it was carried out', { status: 503 }, 'after'],
  ];

  /** Ten times: the change, and what a person changes as soon as the first attempt has arrived. */
  async function undone(change: (id: string) => Promise<void>, act: Act, when: 'before' | 'after'): Promise<number> {
    const { standIn } = scene;
    let lost = 0;
    for (let time = 1; time <= TIMES; time += 1) {
      standIn.reset();
      const id = seed(standIn);
      standIn.fault({ on: 'update', when, act });
      const updating = change(id);
      await writesOf(standIn, 1);
      const value = `person-${time}@hermann.example`;
      standIn.customers.set(id, { ...standIn.customers.get(id), email: value, mobile_phone: null });
      await updating;
      const stored = standIn.customers.get(id);
      if (stored?.['email'] !== value || stored['mobile_phone'] !== null) lost += 1;
    }
    return lost;
  }

  it.each(fates)('does not undo what a person changed in between (%s)', async (name, act, when) => {
    const { standIn, update } = scene;
    const startedAt = performance.now();
    const lost = await undone(
      async (id) => {
        const { data, text } = await update({ customer_id: id, tags: TAGS });
        expect(data, text).toMatchObject({ outcome: 'updated', changed: { tags: { to: TAGS } } });
        expect(standIn.count('update')).toBe(when === 'after' ? 1 : 2);
      },
      act,
      when,
    );
    const ms = (performance.now() - startedAt) / TIMES;
    report.add(`sent again after ${name}`, 'PUT of tags', {
      subject: 'server',
      outcome: `${lost} of ${TIMES} undone`,
      requests: standIn.count('*'),
      ms,
    });
    expect(lost).toBe(0);
  });

  it.each(fates)('undid it when it was sent again as it was (%s)', async (name, act, when) => {
    const { standIn } = scene;
    const lost = await undone((id) => naivePut(standIn, id, { tags: TAGS }), act, when);
    report.add(`sent again after ${name}`, 'PUT of tags', {
      subject: 'baseline (read, merge, PUT)',
      outcome: `${lost} of ${TIMES} undone`,
      requests: standIn.count('*'),
      ms: 0,
    });
    expect(lost).toBe(TIMES);
  });

  it('is unknown when it stays unclear, after as many attempts as it takes to be sure of that', async () => {
    const { standIn, update } = scene;
    const id = seed(standIn);
    standIn.fault({ on: 'update', times: Infinity, act: { status: 500 } });
    expect(kindOf(await update({ customer_id: id, tags: TAGS }))).toBe('outcome_unknown');
    expect(standIn.count('update')).toBe(3);
  });
});
