import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { isRecord } from '../../src/text.ts';
import { connect, errorOf, type Connection, type Environment, type ToolResult } from './client.ts';
import { startRaw, type Act, type Recorded, type StandIn } from './stand-ins/stand-in.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What the contract has to know of a provider. Names are the tools' own unless said otherwise. */
export interface ProviderContract {
  readonly title: string;
  /** A stand-in that keeps its promises; what else it may be like belongs into the provider's own tests. */
  start(): Promise<{ readonly standIn: StandIn; readonly environment: Environment }>;
  /** What must never be seen, in every form in which it travels. */
  readonly secrets: readonly string[];
  readonly settings: { readonly credentials: readonly string[]; readonly address: string };
  /** Where the customers are, as a raw path. */
  readonly customersPath: string;
  /** The `n`th customer with every documented field, apart from the external id. Its mail and names are unlike all others'. */
  customer(n: number): Fields;
  /** Those of its fields without which a create is refused, and one or two more. */
  few(n: number): Fields;
  readonly externalIdField: string;
  /** Whether the provider keeps the external id, so that a create sends it. */
  readonly sendsExternalId: boolean;
  /** The operation that finds a customer by its external id, where there is one. */
  readonly lookUp?: string;
  /** The operation by which a create looks for a twin before it is sent, where it does. */
  readonly probe?: string;
  /** What a failing read of one customer fails at; `*` where there is more than one way. */
  readonly read: 'get' | '*';
  /** The same external id with the same fields again. */
  readonly again: 'existing' | 'updated';
  /** Requests of an update by an external id that is known. */
  readonly updateOperations: readonly string[];
  /** A field with a new value, a field to clear, and where the stored documents have them. */
  readonly change: { readonly field: string; readonly value: string; stored(document: Fields): unknown };
  readonly clear: { readonly field: string; stored(document: Fields): unknown };
  /** A document without what every write changes by itself, and without what `change` and `clear` change. */
  rest(document: Fields): unknown;
  /** A text that documents and arguments call by the same name, give or take the case. Not one of the fields above. */
  readonly text: { readonly field: string; readonly stored: string };
  readonly archive: {
    readonly operation: string;
    readonly outcome: 'archived' | 'deleted';
    done(document: Fields | undefined): boolean;
  };
  readonly limitField: string;
  readonly cursorField: string;
  /** Arguments of the wrong type, format or length, beside those that make the call complete, and the path to blame. */
  readonly wrong: readonly { readonly tool: string; readonly given: Fields; readonly path: string }[];
  readonly typo: { readonly given: string; readonly meant: string };
  /** An error body with the provider's own words. */
  refusal(words: string): unknown;
}

const ODD_ANSWERS: readonly Act[] = ['html', 'empty', 'cut', 'cut-chunked', 'null', 'array', 'no-id', 'extra'];
const UNREADABLE: readonly Act[] = ['html', 'array', 'null', 'empty', 'cut', 'cut-chunked', 'no-id', 'huge', 'gzip'];
const ODD_IDS = [
  'a/b',
  '../../secret',
  '..',
  '.',
  '%2e%2e',
  '%2F',
  'a?b=c',
  '#top',
  'a b',
  'a\\b',
  'Ünï-中-😀',
  ';x=1',
];
const AGAIN = /again|next call/i;
const INVISIBLE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/u;
/** For a server that must give up soon: more than it keeps in reserve for recording a create. */
const SHORT_MS = 1_500;

/** Registers the tests that every provider has to pass. */
export function providerContract(contract: ProviderContract): void {
  const { title, externalIdField, read, settings, text, change, clear, archive } = contract;

  describe(`${title} keeps the contract`, () => {
    let standIn: StandIn;
    let environment: Environment;
    let server: Connection;
    /** Has a short budget and a store of its own, so it knows no external ids. */
    let hasty: Connection;
    let serial = 0;

    beforeAll(async () => {
      ({ standIn, environment } = await contract.start());
      const common = { ...environment, CUSTOMERS_CONFIRM: 'never', CUSTOMERS_LOG: 'debug' };
      [server, hasty] = await Promise.all([
        connect(common),
        connect({ ...common, CUSTOMERS_TIMEOUT_MS: String(SHORT_MS) }),
      ]);
    });

    afterEach(() => {
      standIn.reset();
      for (const connection of [server, hasty]) expectNoSecret(connection.stderr());
    });

    afterAll(async () => {
      await Promise.all([server.close(), hasty.close()]);
      await standIn.close();
    });

    /** An external id, and the customer to go with it, that no other test has used. */
    function fresh(): { readonly id: string; readonly all: Fields; readonly few: Fields } {
      serial += 1;
      return { id: `own-${serial}`, all: contract.customer(serial), few: contract.few(serial) };
    }

    /** Calls, and checks what must be true of every answer. */
    async function call(tool: string, args: Fields = {}, connection = server): Promise<ToolResult> {
      const answer = await connection.call(tool, { ...args });
      const error = errorOf(answer);
      expect(answer.text).toBe(error ? `${String(error.kind)}: ${String(error.message)}` : JSON.stringify(answer.data));
      expect(answer.isError).toBe(error !== undefined);
      expectNoSecret(JSON.stringify(answer.data));
      expect(answer.text).not.toMatch(INVISIBLE);
      return answer;
    }

    function expectNoSecret(written: string): void {
      for (const secret of contract.secrets) expect(written).not.toContain(secret);
    }

    /** The provider's id of a customer that was just created. */
    async function create(fields: Fields, externalId?: string): Promise<string> {
      const own = externalId === undefined ? {} : { [externalIdField]: externalId };
      return idOf(await call('create_customer', { ...fields, ...own }));
    }

    function stored(id: string): Record<string, unknown> {
      const document = standIn.customers.get(id);
      if (!document) throw new Error(`the provider has no customer ${id}`);
      return document;
    }

    /** What reached the provider, apart from tokens. */
    function sent(): readonly Recorded[] {
      return standIn.requests.filter(({ operation }) => operation !== 'token');
    }

    function operations(): readonly string[] {
      return sent().map(({ operation }) => operation);
    }

    /** The provider is well again, and has the customers that it had. */
    function recover(): void {
      const customers = [...standIn.customers];
      standIn.reset();
      for (const [id, document] of customers) standIn.customers.set(id, document);
    }

    /** From here on only what comes next counts. */
    function forgetRequests(): void {
      standIn.requests.length = 0;
    }

    describe('create', () => {
      it('sends exactly the fields that were given', async () => {
        const { id, all, few } = fresh();
        await create(all, id);
        await create(contract.few(serial + 1_000));
        const bodies = standIn.requests.filter(({ operation }) => operation === 'create').map(({ body }) => body);
        expect(bodies).toEqual([
          { ...all, ...(contract.sendsExternalId && { [externalIdField]: id }) },
          contract.few(serial + 1_000),
        ]);
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
        });
      });

      it('takes null, an empty string and an empty list as not given', async () => {
        const { all, few } = fresh();
        const blanks = [null, '', []];
        const rest = Object.keys(all).filter((field) => !(field in few));
        expect(rest.length).toBeGreaterThanOrEqual(blanks.length);
        for (let shift = 0; shift < blanks.length; shift += 1) {
          standIn.reset();
          const blank = Object.fromEntries(rest.map((field, index) => [field, blanks[(index + shift) % 3]]));
          idOf(await call('create_customer', { ...blank, ...few, [externalIdField]: blanks[shift] }));
          expect(standIn.requests.find(({ operation }) => operation === 'create')?.body).toEqual(few);
        }
      });

      it('gives the same customer when it is repeated', async () => {
        const { id, all } = fresh();
        const first = await create(all, id);
        const second = await call('create_customer', { ...all, [externalIdField]: id });
        expect(second.data).toMatchObject({ outcome: contract.again, customer_id: first, external_id: id });
        expect(second.data.customer).toEqual(stored(first));
        expect(standIn.customers.size).toBe(1);
      });

      it('makes one customer of ten that run at once', async () => {
        const { id, all } = fresh();
        const answers = await Promise.all(
          Array.from({ length: 10 }, () => call('create_customer', { ...all, [externalIdField]: id })),
        );
        expect(standIn.customers.size).toBe(1);
        expect(new Set(answers.map(idOf))).toEqual(new Set(standIn.customers.keys()));
        const outcomes = answers.map(({ data }) => data.outcome).toSorted();
        expect(outcomes).toEqual(['created', ...Array.from({ length: 9 }, () => contract.again)]);
      });

      it('makes ten customers of ten with different external ids', async () => {
        const ids = await Promise.all(Array.from({ length: 10 }, fresh).map(({ id, all }) => create(all, id)));
        expect(new Set(ids)).toEqual(new Set(standIn.customers.keys()));
        expect(ids).toHaveLength(10);
      });

      it('makes a new customer once the one with this external id is gone', async () => {
        const { id, few } = fresh();
        const first = await create(few, id);
        standIn.customers.delete(first);
        const second = await call('create_customer', { ...few, [externalIdField]: id });
        expect(second.data).toMatchObject({ outcome: 'created', external_id: id });
        expect([...standIn.customers.keys()]).toEqual([idOf(second)]);
        expect(idOf(second)).not.toBe(first);
      });

      it.each(ODD_ANSWERS.map((act) => ({ act })))(
        'counts as done when the provider accepts it and answers oddly ($act)',
        async ({ act }) => {
          const { id, few } = fresh();
          standIn.fault({ on: 'create', when: 'after', act });
          const answer = await call('create_customer', { ...few, [externalIdField]: id });
          expect(answer.data, answer.text).toMatchObject({ outcome: 'created', external_id: id });
          expect([...standIn.customers.keys()]).toEqual([idOf(answer)]);
          expect(standIn.count('create')).toBe(1);
        },
      );

      it.each(ODD_ANSWERS.map((act) => ({ act })))(
        'without an external id counts as done as well when it is answered oddly ($act)',
        async ({ act }) => {
          standIn.fault({ on: 'create', when: 'after', act });
          const answer = await call('create_customer', fresh().few);
          expect(answer.data, answer.text).toMatchObject({ outcome: 'created' });
          const [only, ...others] = standIn.customers.keys();
          expect(others).toEqual([]);
          if (answer.data.customer_id === undefined)
            expect(answer.data.warnings).toEqual([expect.stringContaining('search_customer')]);
          else expect(answer.data.customer_id).toBe(only);
        },
      );

      it.each(['reset', 'hang'] as const)(
        'finds the customer whose create was carried out and lost its answer (%s)',
        async (act) => {
          const { id, few } = fresh();
          standIn.fault({ on: 'create', when: 'after', act });
          const answer = await call('create_customer', { ...few, [externalIdField]: id }, hasty);
          expect([...standIn.customers.keys()]).toEqual([idOf(answer)]);
        },
      );

      it('is unknown when neither an answer comes nor a look tells, and the next call finds what it left', async () => {
        const { id, few } = fresh();
        const look = contract.probe ?? contract.lookUp ?? '';
        standIn.fault({ on: 'create', when: 'after', times: Infinity, act: 'hang' });
        standIn.fault({ on: look, skip: contract.probe === undefined ? 0 : 1, times: Infinity, act: 'hang' });
        const lost = await call('create_customer', { ...few, [externalIdField]: id }, hasty);
        const { message } = refusalIn(lost, 'outcome_unknown');
        expect(message).toContain(title);
        expect(message).toContain('create_customer');
        recover();
        const found = await call('create_customer', { ...few, [externalIdField]: id }, hasty);
        expect([...standIn.customers.keys()]).toEqual([idOf(found)]);
      });

      it('without an external id is sent once and never again, whatever comes back', async () => {
        for (const act of [{ status: 500 }, { status: 503 }, { status: 504 }, 'reset'] as const) {
          standIn.reset();
          standIn.fault({ on: 'create', when: 'after', act });
          const answer = await call('create_customer', fresh().few);
          expect(refusalIn(answer, 'outcome_unknown').message).toContain('search_customer');
          expect(standIn.count('create')).toBe(1);
          expect(standIn.customers.size).toBe(1);
        }
      });

      it('is not lost on a connection that the provider is closing', async () => {
        standIn.fault({ on: '*', times: Infinity, act: 'stale' });
        const made = [];
        for (let n = 0; n < 4; n += 1) made.push(await create(fresh().few));
        expect([...standIn.customers.keys()]).toEqual(made);
        expect(standIn.count('create')).toBe(4);
      });

      it('that was refused may be mended and repeated', async () => {
        const { id, few } = fresh();
        standIn.fault({ on: 'create', act: { status: 422, body: contract.refusal('The name is odd') } });
        const refused = await call('create_customer', { ...few, [externalIdField]: id });
        expect(refusalIn(refused, 'invalid_input').message).toContain('The name is odd');
        const mended = await call('create_customer', { ...few, [externalIdField]: id });
        expect(mended.data).toMatchObject({ outcome: 'created' });
      });

      it('is sent again after a 429, which says that nothing was done', async () => {
        const { id, few } = fresh();
        standIn.fault({ on: 'create', act: { status: 429, headers: { 'retry-after': '1' } } });
        expect(await create(few, id)).toEqual([...standIn.customers.keys()].join());
        expect(standIn.count('create')).toBe(2);
      });

      it
        .skipIf(contract.probe === undefined)
        .each([...UNREADABLE, { status: 500 }, { status: 401 }].map((act) => ({ act })))(
        'sends nothing when the look for a twin is answered with $act',
        async ({ act }) => {
          const { id, few } = fresh();
          idOf(await call('create_customer', { ...few, [externalIdField]: id }, hasty));
          forgetRequests();
          standIn.fault({ on: contract.probe ?? '', times: Infinity, act });
          await call('create_customer', { ...few, [externalIdField]: id });
          expect(standIn.count('create')).toBe(0);
        },
      );

      it.skipIf(contract.probe === undefined)('makes no second customer of one that it has never met', async () => {
        const { id, few } = fresh();
        const twin = await call('create_customer', { ...few, [externalIdField]: id }, hasty);
        const answer = await call('create_customer', { ...few, [externalIdField]: id });
        expect([...standIn.customers.keys()]).toEqual([idOf(twin)]);
        expect(answer.data.customer_id ?? errorOf(answer)?.candidates).toEqual(
          contract.lookUp === undefined ? [expect.objectContaining({ customer_id: idOf(twin) })] : idOf(twin),
        );
      });
    });

    describe('get', () => {
      it('reads by either id, with one request', async () => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        for (const ref of [{ customer_id: customerId }, { [externalIdField]: id }]) {
          forgetRequests();
          const { data } = await call('get_customer', ref);
          const byOwn = externalIdField in ref || contract.sendsExternalId;
          expect(data).toEqual({
            customer_id: customerId,
            ...(byOwn && { external_id: id }),
            customer: stored(customerId),
          });
          expect(operations()).toEqual(['get']);
        }
      });

      it.skipIf(contract.lookUp === undefined)('finds an external id that it has never met', async () => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        await create(fresh().all, `${id}0`);
        const { data } = await call('get_customer', { [externalIdField]: id }, hasty);
        expect(data).toEqual({ customer_id: customerId, external_id: id, customer: stored(customerId) });
      });

      it('looks once more when the id it remembers is gone, and only then says not_found', async () => {
        const { id, few } = fresh();
        const customerId = await create(few, id);
        standIn.customers.delete(customerId);
        forgetRequests();
        const answer = await call('get_customer', { [externalIdField]: id });
        const { message } = refusalIn(answer, 'not_found');
        expect(message).toContain(title);
        expect(message).toContain('search_customer');
        expect(standIn.count('get')).toBe(1);
        expect(standIn.count(contract.lookUp ?? 'none')).toBe(contract.lookUp === undefined ? 0 : 1);
      });

      it.skipIf(contract.lookUp === undefined)(
        'follows an external id that has moved to another customer',
        async () => {
          const { id, few } = fresh();
          const before = await create(few, id);
          standIn.customers.set('moved-to', { ...stored(before), id: 'moved-to' });
          standIn.customers.delete(before);
          expect(idOf(await call('get_customer', { [externalIdField]: id }))).toBe('moved-to');
          forgetRequests();
          expect(idOf(await call('get_customer', { [externalIdField]: id }))).toBe('moved-to');
          expect(operations()).toEqual(['get']);
        },
      );

      it('says not_found of ids that nobody has', async () => {
        for (const ref of [{ customer_id: 'nobody' }, { [externalIdField]: 'nobody' }])
          expect(refusalIn(await call('get_customer', ref), 'not_found').message).toContain('search_customer');
      });

      it.each(UNREADABLE.map((act) => ({ act })))(
        'says bad_response to an answer it cannot use ($act)',
        async ({ act }) => {
          const customerId = await create(fresh().few);
          standIn.fault({ on: read, times: Infinity, act });
          expect(refusalIn(await call('get_customer', { customer_id: customerId }), 'bad_response').message).toContain(
            title,
          );
          standIn.reset();
        },
      );

      it('keeps members of the document that are new', async () => {
        const customerId = await create(fresh().all);
        standIn.fault({ on: 'get', act: 'extra' });
        const { data } = await call('get_customer', { customer_id: customerId });
        expect(data.customer).toMatchObject({
          surprise: 'new',
          surprise_object: { deep: [1, null] },
          surpriseNull: null,
        });
        expect(data.customer_id).toBe(customerId);
      });
    });

    describe('update', () => {
      it('changes the named field and nothing else', async () => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        const other = await create(fresh().all);
        const before = stored(customerId);
        const untouched = stored(other);
        const answer = await call('update_customer', { [externalIdField]: id, [change.field]: change.value });
        expect(answer.data).toEqual({
          outcome: 'updated',
          changed: [change.field],
          customer_id: customerId,
          external_id: id,
          customer: stored(customerId),
        });
        expect(change.stored(before)).not.toBe(change.value);
        expect(change.stored(stored(customerId))).toBe(change.value);
        expect(clear.stored(stored(customerId))).toBe(clear.stored(before));
        expect(contract.rest(stored(customerId))).toEqual(contract.rest(before));
        expect(stored(other)).toEqual(untouched);
      });

      it('loses nothing to another update of the same customer at the same time', async () => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        standIn.fault({ on: 'update', act: { delayMs: 60 } });
        const [one, other] = await Promise.all([
          call('update_customer', { [externalIdField]: id, [change.field]: change.value }),
          call('update_customer', { customer_id: customerId, [text.field]: 'Moved meanwhile' }),
        ]);
        expect([idOf(one), idOf(other)]).toEqual([customerId, customerId]);
        expect(change.stored(stored(customerId))).toBe(change.value);
        expect(stored(customerId)[text.stored]).toBe('Moved meanwhile');
      });

      it('by a known external id needs no look-up', async () => {
        const { id, all } = fresh();
        await create(all, id);
        forgetRequests();
        idOf(await call('update_customer', { [externalIdField]: id, [change.field]: change.value }));
        expect(operations()).toEqual(contract.updateOperations);
      });

      it.skipIf(contract.lookUp === undefined)('finds an external id that it has never met, once', async () => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        forgetRequests();
        for (const value of ['First value', change.value]) {
          const answer = await call('update_customer', { [externalIdField]: id, [change.field]: value }, hasty);
          expect(idOf(answer)).toBe(customerId);
        }
        expect(standIn.count(contract.lookUp ?? '')).toBe(1);
        expect(change.stored(stored(customerId))).toBe(change.value);
      });

      it('empties what clear names and keeps the rest', async () => {
        const customerId = await create(fresh().all);
        const before = stored(customerId);
        const answer = await call('update_customer', { customer_id: customerId, clear: [clear.field] });
        expect(answer.data).toMatchObject({ outcome: 'updated', changed: [clear.field], customer_id: customerId });
        expect(answer.data).not.toHaveProperty('warnings');
        expect(clear.stored(before)).toBeTruthy();
        expect(clear.stored(stored(customerId)) ?? '').toBe('');
        expect(change.stored(stored(customerId))).toBe(change.stored(before));
        expect(contract.rest(stored(customerId))).toEqual(contract.rest(before));
      });

      it('takes null, an empty string and an empty list as not given, so they empty nothing', async () => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        const before = stored(customerId);
        for (const blank of [null, '', []]) {
          const blanks = Object.fromEntries(Object.keys(all).map((field) => [field, blank]));
          const value = `Changed beside ${JSON.stringify(blank)}`;
          const ref = { [externalIdField]: id, customer_id: blank, clear: null };
          const { data } = await call('update_customer', { ...blanks, ...ref, [change.field]: value });
          expect(data).toMatchObject({ outcome: 'updated', changed: [change.field] });
          expect(change.stored(stored(customerId))).toBe(value);
          expect(contract.rest(stored(customerId))).toEqual(contract.rest(before));
        }
      });

      it('refuses to clear what it sets, to clear what cannot be cleared, and to change nothing', async () => {
        const ref = { customer_id: 'somebody' };
        for (const args of [
          { [clear.field]: 'x', clear: [clear.field] },
          { clear: ['customer_id'] },
          { clear: [] },
          { [change.field]: null, [clear.field]: '' },
          {},
        ])
          expect(refusalIn(await call('update_customer', { ...ref, ...args }), 'invalid_input').fields).toHaveLength(1);
        expect(sent()).toEqual([]);
      });

      it.each(ODD_ANSWERS.map((act) => ({ act })))(
        'counts as done when the provider accepts it and answers oddly ($act)',
        async ({ act }) => {
          const customerId = await create(fresh().all);
          standIn.fault({ on: 'update', when: 'after', act });
          const answer = await call('update_customer', { customer_id: customerId, [change.field]: change.value });
          expect(answer.data, answer.text).toMatchObject({
            outcome: 'updated',
            changed: [change.field],
            customer_id: customerId,
          });
          expect(change.stored(stored(customerId))).toBe(change.value);
        },
      );

      it('counts as done when it is answered oddly and cannot be read back either', async () => {
        const customerId = await create(fresh().all);
        const reads = contract.updateOperations.filter((operation) => operation === 'get').length;
        standIn.fault({ on: 'update', when: 'after', act: 'html' });
        standIn.fault({ on: 'get', skip: reads, times: Infinity, act: { status: 500 } });
        const answer = await call('update_customer', { customer_id: customerId, [change.field]: change.value });
        expect(answer.data, answer.text).toMatchObject({ outcome: 'updated', customer_id: customerId });
        expect(answer.data.warnings).toEqual([expect.stringContaining(title)]);
      });

      it('is sent again after a 503 and after a broken connection', async () => {
        const customerId = await create(fresh().all);
        for (const act of [{ status: 503 }, 'reset'] as const) {
          standIn.fault({ on: 'update', act });
          const value = `${change.value} ${JSON.stringify(act)}`;
          idOf(await call('update_customer', { customer_id: customerId, [change.field]: value }));
          expect(change.stored(stored(customerId))).toBe(value);
        }
        expect(standIn.count('update')).toBe(4);
      });

      it('is unknown when the provider fails at it, and says where to look', async () => {
        const customerId = await create(fresh().all);
        for (const act of [{ status: 500 }, { redirect: standIn.origin }, 'redirect'] as const) {
          standIn.fault({ on: 'update', times: 3, act });
          const answer = await call('update_customer', { customer_id: customerId, [change.field]: change.value });
          const { message } = refusalIn(answer, 'outcome_unknown');
          expect(message).toContain(title);
          expect(message).toMatch(/get_customer|search_customer/);
          recover();
        }
      });

      it('by an external id whose customer is gone looks once more and then says not_found', async () => {
        const { id, all } = fresh();
        standIn.customers.delete(await create(all, id));
        forgetRequests();
        const answer = await call('update_customer', { [externalIdField]: id, [change.field]: change.value });
        refusalIn(answer, 'not_found');
        expect(standIn.count(contract.lookUp ?? 'none')).toBe(contract.lookUp === undefined ? 0 : 1);
        expect(standIn.customers.size).toBe(0);
      });
    });

    describe('search', () => {
      it('visits every customer exactly once on the way to the end', async () => {
        const made = await Promise.all(Array.from({ length: 13 }, fresh).map(({ few }) => create(few)));
        for (const limit of [1, 4, 13, 50]) {
          const seen: string[] = [];
          let cursor: unknown;
          for (let pages = 1; pages === 1 || cursor !== undefined; pages += 1) {
            expect(pages).toBeLessThan(20);
            const next = cursor === undefined ? {} : { [contract.cursorField]: cursor };
            const { data } = await call('search_customer', { [contract.limitField]: limit, ...next });
            seen.push(...rowsOf(data).map((row) => String(row.customer_id)));
            cursor = data.next_cursor;
            expect(data.has_more).toBe(cursor !== undefined);
          }
          expect(seen.toSorted()).toEqual(made.toSorted());
        }
      });

      it('shows each customer as the provider does', async () => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        const { data } = await call('search_customer');
        expect(data).toMatchObject({ has_more: false });
        expect(rowsOf(data)).toEqual([
          {
            customer_id: customerId,
            ...(contract.sendsExternalId && { external_id: id }),
            customer: stored(customerId),
          },
        ]);
      });

      it('says that there is nobody where there is nobody', async () => {
        expect((await call('search_customer')).data).toMatchObject({ customers: [], has_more: false });
      });

      it('takes null and an empty string as not given', async () => {
        await create(fresh().few);
        forgetRequests();
        const blanks = { [contract.cursorField]: '', [contract.limitField]: null };
        expect(rowsOf((await call('search_customer', blanks)).data)).toHaveLength(1);
        expect(sent().map(({ query }) => query.has(contract.cursorField))).toEqual([false]);
      });

      it.each(UNREADABLE.map((act) => ({ act })))(
        'never passes off an answer it cannot use as a list of nobody ($act)',
        async ({ act }) => {
          await create(fresh().few);
          standIn.fault({ on: 'list', times: Infinity, act });
          const answer = await call('search_customer');
          if (answer.isError) refusalIn(answer, 'bad_response');
          else expect(answer.data.warnings, answer.text).toEqual([expect.stringContaining(title)]);
        },
      );

      it('keeps members of the documents that are new', async () => {
        const customerId = await create(fresh().few);
        standIn.fault({ on: 'list', act: 'extra' });
        const [row] = rowsOf((await call('search_customer')).data);
        expect(row).toMatchObject({ customer_id: customerId, customer: { surprise: 'new' } });
      });
    });

    describe('archive', () => {
      it.each(['customer_id', externalIdField].map((by) => ({ by })))('by $by does what it says', async ({ by }) => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        const other = await create(fresh().all);
        const answer = await call('archive_customer', { [by]: by === 'customer_id' ? customerId : id });
        expect(answer.data).toMatchObject({ outcome: archive.outcome, customer_id: customerId });
        expect(archive.done(standIn.customers.get(customerId))).toBe(true);
        expect(archive.done(standIn.customers.get(other))).toBe(false);
        const { data } = await call('search_customer');
        expect(rowsOf(data).map((row) => row.customer_id)).toEqual([other]);
      });

      it.each(ODD_ANSWERS.map((act) => ({ act })))(
        'counts as done when the provider accepts it and answers oddly ($act)',
        async ({ act }) => {
          const customerId = await create(fresh().few);
          standIn.fault({ on: archive.operation, when: 'after', act });
          const answer = await call('archive_customer', { customer_id: customerId });
          expect(answer.data, answer.text).toMatchObject({ outcome: archive.outcome, customer_id: customerId });
          expect(archive.done(standIn.customers.get(customerId))).toBe(true);
        },
      );

      it('counts as done when it is answered oddly and cannot be read back either', async () => {
        const customerId = await create(fresh().few);
        standIn.fault({ on: archive.operation, when: 'after', act: 'html' });
        standIn.fault({ on: 'get', skip: 1, times: Infinity, act: { status: 500 } });
        const answer = await call('archive_customer', { customer_id: customerId });
        expect(answer.data, answer.text).toMatchObject({ outcome: archive.outcome, customer_id: customerId });
      });

      it('of somebody unknown is not_found and touches nobody', async () => {
        const other = await create(fresh().few);
        for (const ref of [{ customer_id: 'nobody' }, { [externalIdField]: 'nobody' }])
          refusalIn(await call('archive_customer', ref), 'not_found');
        expect(standIn.count(archive.operation)).toBe(0);
        expect(archive.done(standIn.customers.get(other))).toBe(false);
      });
    });

    describe('arguments', () => {
      it.each(contract.wrong)('$tool refuses $given, names $path and sends nothing', async ({ tool, given, path }) => {
        const complete =
          tool === 'create_customer' ? fresh().few : tool === 'search_customer' ? {} : { customer_id: 'x' };
        const { message, fields } = refusalIn(await call(tool, { ...complete, ...given }), 'invalid_input');
        expect(fields).toEqual([{ path, message: expect.stringMatching(/./) }]);
        expect(message).toContain(path);
        expect(sent()).toEqual([]);
      });

      it('that are unknown are refused with the nearest name', async () => {
        const { given, meant } = contract.typo;
        const calls: [string, Fields, string, string][] = [
          ['create_customer', { ...fresh().all, [given]: 'x' }, given, meant],
          ['update_customer', { customer_id: 'x', [given]: 'x' }, given, meant],
          ['get_customer', { customerId: 'x' }, 'customerId', 'customer_id'],
          ['archive_customer', { customer_id: 'x', costumer_id: 'y' }, 'costumer_id', 'customer_id'],
          ['search_customer', { [`${contract.limitField}s`]: 5 }, `${contract.limitField}s`, contract.limitField],
        ];
        for (const [tool, args, wrong, right] of calls) {
          const { message, fields } = refusalIn(await call(tool, args), 'invalid_input');
          expect(message).toContain(`unknown argument \`${wrong}\`; did you mean \`${right}\`?`);
          expect(fields).toContainEqual({ path: wrong, message: expect.any(String) });
        }
        expect(sent()).toEqual([]);
      });

      it('that are all wrong are all named at once', async () => {
        const args = { customer_id: 5, nonsense: true, clear: 'notes' };
        const { fields } = refusalIn(await call('update_customer', args), 'invalid_input');
        expect(fields.map((field) => field.path).toSorted()).toEqual(['clear', 'customer_id', 'nonsense']);
        expect(sent()).toEqual([]);
      });

      it('need exactly one of the two ids', async () => {
        const both = { customer_id: 'a', [externalIdField]: 'b' };
        const neither = { customer_id: null, [externalIdField]: '' };
        for (const tool of ['get_customer', 'archive_customer'])
          for (const args of [both, neither, {}]) {
            const { message } = refusalIn(await call(tool, args), 'invalid_input');
            expect(message).toContain('customer_id');
            expect(message).toContain(externalIdField);
          }
        for (const args of [neither, {}])
          refusalIn(await call('update_customer', { ...args, [change.field]: 'x' }), 'invalid_input');
        expect(sent()).toEqual([]);
      });

      it('never change the path: an id stays within its segment', async () => {
        for (const id of ODD_IDS) {
          forgetRequests();
          const ref = { customer_id: id };
          const answers = [
            await call('get_customer', ref),
            await call('update_customer', { ...ref, [change.field]: change.value }),
            await call('archive_customer', ref),
          ];
          for (const answer of answers) expect(['not_found', 'invalid_input']).toContain(errorOf(answer)?.kind);
          const one = `${contract.customersPath}/${encodeURIComponent(id)}`;
          for (const { path, operation } of sent())
            expect([one, contract.customersPath], `${operation} of ${id}`).toContain(path);
          if (id === '.' || id === '..') expect(sent()).toEqual([]);
          else expect(sent().map(({ path }) => path)).toContain(one);
        }
      });

      it('may hold any external id, and it comes back as it was given', async () => {
        for (const odd of ODD_IDS) {
          serial += 1;
          const id = `${odd}${serial}${odd}`;
          const customerId = await create(contract.few(serial), id);
          const known = await call('get_customer', { [externalIdField]: id });
          expect(known.data).toMatchObject({ customer_id: customerId, external_id: id });
          if (contract.lookUp === undefined) continue;
          const looked = await call('get_customer', { [externalIdField]: id }, hasty);
          expect(looked.data).toMatchObject({ customer_id: customerId, external_id: id });
        }
      });
    });

    describe('failures', () => {
      const failures: readonly { status: number; kind: string; next: readonly (string | RegExp)[] }[] = [
        { status: 400, kind: 'invalid_input', next: [AGAIN] },
        { status: 401, kind: 'unauthorized', next: settings.credentials },
        { status: 403, kind: 'forbidden', next: settings.credentials },
        { status: 404, kind: 'not_found', next: ['search_customer'] },
        { status: 409, kind: 'conflict', next: ['search_customer'] },
        { status: 422, kind: 'invalid_input', next: [AGAIN] },
        { status: 429, kind: 'rate_limited', next: [AGAIN] },
        { status: 500, kind: 'unavailable', next: [AGAIN] },
        { status: 503, kind: 'unavailable', next: [AGAIN] },
      ];

      it.each(failures)('a read answered with $status is $kind', async ({ status, kind, next }) => {
        const customerId = await create(fresh().few);
        const body = contract.refusal('Words of its own');
        standIn.fault({ on: read, times: Infinity, act: { status, body } });
        const { message } = refusalIn(await call('get_customer', { customer_id: customerId }), kind);
        expect(message).toContain(title);
        expect(message).toContain('Words of its own');
        for (const word of next) expect(message).toMatch(word);
      });

      it.each(failures.filter(({ status }) => status < 500))(
        'a create answered with $status is $kind, and makes nobody',
        async ({ status, kind, next }) => {
          const { id, few } = fresh();
          standIn.fault({ on: 'create', times: Infinity, act: { status, body: contract.refusal('Words of its own') } });
          const answer = await call('create_customer', { ...few, [externalIdField]: id });
          const { message } = refusalIn(answer, kind);
          expect(message).toContain(title);
          expect(message).toContain('Words of its own');
          // A create names no customer, so there a 404 is about the account.
          if (status !== 404) for (const word of next) expect(message).toMatch(word);
          expect(standIn.customers.size).toBe(0);
        },
      );

      it.each(failures.filter(({ status }) => status < 500))(
        'an update answered with $status is $kind, and changes nothing',
        async ({ status, kind }) => {
          const customerId = await create(fresh().few);
          const before = stored(customerId);
          standIn.fault({ on: 'update', times: Infinity, act: { status, body: contract.refusal('Words of its own') } });
          const args = { customer_id: customerId, [change.field]: change.value };
          const { message } = refusalIn(await call('update_customer', args), kind);
          expect(message).toContain('Words of its own');
          expect(stored(customerId)).toEqual(before);
        },
      );

      it('without words, or with a page of HTML for words, are told all the same', async () => {
        const customerId = await create(fresh().few);
        for (const body of ['', '<!doctype html><p>Sign in', '{"unfinished', [], null, { surprise: { deep: true } }]) {
          standIn.fault({ on: read, act: { status: 403, body } });
          const { message } = refusalIn(await call('get_customer', { customer_id: customerId }), 'forbidden');
          expect(message).toContain(title);
          expect(message).not.toMatch(/doctype|unfinished|surprise|undefined|null|object/);
        }
      });

      it('quote no more than 300 characters of the provider, on one line, with nothing invisible', async () => {
        const words = `Odd\u202e \u0007words\n\n\u{e0041}of ${'a'.repeat(1_000)} END`;
        const customerId = await create(fresh().few);
        standIn.fault({ on: read, times: Infinity, act: { status: 400, body: contract.refusal(words) } });
        const { message } = refusalIn(await call('get_customer', { customer_id: customerId }), 'invalid_input');
        expect(message).toContain('Odd words of aaa');
        expect(message).not.toContain('END');
        expect(message).not.toContain('\n');
        expect(message.split('a').length).toBeLessThan(320);
      });

      it('do not repeat a credential that the provider echoes', async () => {
        const customerId = await create(fresh().few);
        const shown = String(sent().at(-1)?.headers.authorization);
        const [, token = ''] = shown.split(' ');
        expect(token).not.toBe('');
        const body = contract.refusal(`The key ${[shown, ...contract.secrets].join(', ')} may not do this`);
        standIn.fault({ on: read, times: Infinity, act: { status: 403, body } });
        const answer = await call('get_customer', { customer_id: customerId });
        refusalIn(answer, 'forbidden');
        expect(answer.text).not.toContain(token);
      });

      it.each([
        { act: { status: 502 } },
        { act: { status: 503 } },
        { act: { status: 504 } },
        { act: 'reset' },
      ] as const)('that pass are not seen: a read is repeated after $act', async ({ act }) => {
        const customerId = await create(fresh().few);
        standIn.fault({ on: 'get', act });
        expect(idOf(await call('get_customer', { customer_id: customerId }))).toBe(customerId);
        expect(standIn.count('get')).toBe(2);
      });

      it('that last are reported after a few attempts', async () => {
        const customerId = await create(fresh().few);
        standIn.fault({ on: 'get', times: Infinity, act: 'reset' });
        const { message } = refusalIn(await call('get_customer', { customer_id: customerId }), 'unavailable');
        expect(message).toContain(title);
        expect(message).toMatch(AGAIN);
        expect(standIn.count('get')).toBeGreaterThan(1);
        expect(standIn.count('get')).toBeLessThan(6);
      });

      it('to answer in full within the budget end in an error, not in a wait without end', async () => {
        const customerId = await create(fresh().few);
        standIn.fault({ on: 'get', times: Infinity, act: 'hang' });
        standIn.fault({ on: 'list', times: Infinity, act: 'drip' });
        const [silent, slow] = await Promise.all([
          call('get_customer', { customer_id: customerId }, hasty),
          call('search_customer', {}, hasty),
        ]);
        expect(refusalIn(silent, 'unavailable').message).toContain(title);
        expect(['unavailable', 'bad_response']).toContain(errorOf(slow)?.kind);
      });

      it('that ask for a short wait are waited for', async () => {
        const customerId = await create(fresh().few);
        standIn.fault({ on: 'get', act: { status: 429, headers: { 'retry-after': '1' } } });
        expect(idOf(await call('get_customer', { customer_id: customerId }))).toBe(customerId);
        expect(standIn.count('get')).toBe(2);
      });

      it('that ask for a long wait are passed on at once, with the wait', async () => {
        const { id, few } = fresh();
        const customerId = await create(few);
        const act = { status: 429, headers: { 'retry-after': '3600' } };
        standIn.fault({ on: 'get', times: Infinity, act });
        standIn.fault({ on: 'create', times: Infinity, act });
        forgetRequests();
        const reading = await call('get_customer', { customer_id: customerId });
        const creating = await call('create_customer', { ...contract.few(serial + 1_000), [externalIdField]: id });
        for (const answer of [reading, creating]) {
          const { message, error } = refusalIn(answer, 'rate_limited');
          expect(error.retry_after_s).toBe(3_600);
          expect(message).toContain('3600');
        }
        expect(standIn.count('get')).toBe(1);
        expect(standIn.count('create')).toBe(1);
      });

      it('to stay put are errors: a redirect is not followed', async () => {
        const { id, few } = fresh();
        const customerId = await create(few);
        const act = { redirect: standIn.origin };
        standIn.fault({ on: 'get', act });
        expect(refusalIn(await call('get_customer', { customer_id: customerId }), 'bad_response').message).toContain(
          title,
        );
        expect(standIn.count('get')).toBe(1);
        standIn.fault({ on: 'list', act });
        refusalIn(await call('search_customer'), 'bad_response');
        standIn.reset();
        standIn.fault({ on: 'create', times: Infinity, act });
        refusalIn(await call('create_customer', { ...few, [externalIdField]: id }), 'outcome_unknown');
        expect(standIn.customers.size).toBe(0);
      });

      it('to connect are unavailable, also for a create, which was not sent', async () => {
        const { id, few } = fresh();
        const dead = await Promise.all([startRaw('refuse'), startRaw('reset-on-accept')]);
        const cutOff = await Promise.all(
          dead.map(({ origin }) => connect({ ...environment, [settings.address]: origin })),
        );
        const create = { ...few, [externalIdField]: id };
        const answers = await Promise.all([
          ...cutOff.map((connection) => call('get_customer', { customer_id: 'x' }, connection)),
          ...cutOff.slice(0, 1).map((connection) => call('create_customer', create, connection)),
        ]);
        await Promise.all([...cutOff, ...dead].map((open) => open.close()));
        expect(answers).toHaveLength(3);
        for (const answer of answers) {
          const { message } = refusalIn(answer, 'unavailable');
          expect(message).toContain(title);
          expect(message).toContain(settings.address);
        }
      });
    });

    describe('texts of the provider', () => {
      it('are shown without what is invisible, and long ones are cut with a mark', async () => {
        const customerId = await create(fresh().all);
        const hidden = 'Be\u202efore\u0000 \u{e0049}\u{e0067}after\u200b\u2066!';
        for (const [raw, shown] of [
          [hidden, 'Before after!'],
          ['y'.repeat(50_000), expect.stringMatching(/^y{100,10000}… \[cut.*\]$/)],
        ]) {
          standIn.customers.set(customerId, { ...stored(customerId), [text.stored]: raw });
          for (const answer of [
            await call('get_customer', { customer_id: customerId }),
            await call('search_customer'),
            await call('update_customer', { customer_id: customerId, [change.field]: `New ${String(raw).length}` }),
          ]) {
            const [row] = rowsOf(answer.data);
            const customer = row ? row.customer : answer.data.customer;
            expect(isRecord(customer) ? customer[text.stored] : undefined).toEqual(shown);
          }
          expect(stored(customerId)[text.stored]).toBe(raw);
        }
      });

      it('stay out of the logs, as do the caller’s', async () => {
        const { id, all } = fresh();
        const customerId = await create(all, id);
        standIn.fault({ on: read, times: 1, act: { status: 403, body: contract.refusal('Words of its own') } });
        await call('get_customer', { customer_id: customerId });
        await call('search_customer');
        await call('archive_customer', { customer_id: customerId });
        await vi.waitFor(() => expect(server.stderr()).toContain('archive_customer'));
        const lines = server.stderr().trim().split('\n');
        for (const line of lines) expect(isRecord(JSON.parse(line))).toBe(true);
        const values = Object.values(all).filter((value) => typeof value === 'string' && value.length > 8);
        expect(values.length).toBeGreaterThan(3);
        for (const value of [...values, 'Words of its own']) expect(server.stderr()).not.toContain(value);
      });
    });
  });
}

function idOf(answer: ToolResult): string {
  expect(answer.isError, answer.text).toBe(false);
  expect(answer.data.customer_id, answer.text).toEqual(expect.any(String));
  return String(answer.data.customer_id);
}

/** The error of an answer, which must be of this kind. */
function refusalIn(
  answer: ToolResult,
  kind: string,
): { readonly message: string; readonly fields: readonly Record<string, unknown>[]; readonly error: Fields } {
  const error = errorOf(answer) ?? {};
  expect(error.kind, answer.text).toBe(kind);
  const fields = Array.isArray(error.fields) ? error.fields.filter(isRecord) : [];
  return { message: String(error.message), fields, error };
}

function rowsOf(data: Fields): readonly Record<string, unknown>[] {
  return Array.isArray(data.customers) ? data.customers.filter(isRecord) : [];
}
