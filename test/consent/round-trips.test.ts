import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { idOf, kindOf, messageOf } from '../support/answers.ts';
import { temporaryStore, type Environment } from '../support/client.ts';
import { bearer, post, serve } from '../support/http.ts';
import { AUDIENCE, startIssuer } from '../support/issuer.ts';
import {
  answerIn,
  FORMS,
  headersFor,
  modernOverStdio,
  overEach,
  plainCall,
  questionIn,
  stated,
  type ModernClient,
} from '../support/modern.ts';
import type { StandIn } from '../support/stand-in.ts';
import { destructive, fresh } from './cases.ts';

type Json = Record<string, unknown>;

const INVALID_PARAMS = -32602;
const YES = { action: 'accept', content: { confirm: true } };

/** What hosts answer that is not consent, and what the answer says about it. */
const NO: readonly (readonly [string, Json, RegExp])[] = [
  ['decline', { action: 'decline' }, /user declined/],
  ['decline beside a checked box', { action: 'decline', content: { confirm: true } }, /user declined/],
  ['cancel', { action: 'cancel' }, /did not answer.*CUSTOMERS_CONFIRM/],
  ['accept without content', { action: 'accept' }, /without consent in it/],
  ['accept with the box unchecked', { action: 'accept', content: { confirm: false } }, /without consent in it/],
  ['accept with "true"', { action: 'accept', content: { confirm: 'true' } }, /is not consent/],
  ['accept with a field too many', { action: 'accept', content: { confirm: true, all: true } }, /is not consent/],
  ['accept with a list', { action: 'accept', content: [true] }, /is not consent/],
  ['reject', { action: 'reject', content: { confirm: true } }, /is not consent/],
  ['Accept', { action: 'Accept', content: { confirm: true } }, /is not consent/],
  ['an action that is true', { action: true, content: { confirm: true } }, /is not consent/],
];

/** What is no answer, so the user is asked again. */
const NOTHING: readonly (readonly [string, (key: string) => Json])[] = [
  ['no answers', () => ({})],
  ['null for the answers', () => ({ inputResponses: null })],
  ['a list of answers', () => ({ inputResponses: [YES] })],
  ['the answer to another question', (key) => ({ inputResponses: { [`${key}2`]: YES } })],
  ['a text for the answer', (key) => ({ inputResponses: { [key]: 'accept' } })],
  ['a list for the answer', (key) => ({ inputResponses: { [key]: [YES] } })],
  ['an answer without an action', (key) => ({ inputResponses: { [key]: { content: { confirm: true } } } })],
];

const cases = destructive.flatMap((one) => overEach.map(([transport, open]) => ({ ...one, transport, open })));

describe.each(cases)('$title, asked in round trips over $transport', ({ kit, tool, outcome, prepare, open }) => {
  const { store, remove } = temporaryStore();
  let standIn: StandIn;
  let environment: Environment;
  let client: ModernClient;
  const plain = (name: string, args: Json = {}) => plainCall(client, name, args);

  beforeAll(async () => {
    const started = await kit.start();
    standIn = started.standIn;
    environment = { ...started.environment, CUSTOMERS_STORE: store };
    client = await open(environment);
  });
  afterAll(async () => {
    await client.close();
    await standIn.close();
    remove();
  });

  /** Asks; returns the question and a function that repeats the call with an answer. */
  const asked = async (args: Json) => {
    const result = await client.call(tool, args);
    expect(result).toMatchObject({ resultType: 'input_required' });
    expect(result).not.toHaveProperty('content');
    const question = questionIn(result);
    const reply = (answer: Json, more: Json = {}) =>
      client.call(tool, args, { requestState: question.state, inputResponses: { [question.key]: answer }, ...more });
    return { ...question, result, reply };
  };

  it('is done when the box is checked, in a form with one required box', async () => {
    const { args, names, happened } = await prepare(plain, standIn);
    const { message, state, result, reply } = await asked({ ...args });
    for (const name of names) expect(message).toContain(name);
    // The state travels through the client, so it holds nothing of the customer.
    for (const name of names) expect(state).not.toContain(name);
    expect(result).toMatchObject({
      inputRequests: {
        consent: {
          method: 'elicitation/create',
          params: {
            mode: 'form',
            requestedSchema: { type: 'object', properties: { confirm: { type: 'boolean' } }, required: ['confirm'] },
          },
        },
      },
    });
    expect(happened()).toBe(false);
    const done = await reply(YES);
    expect(done).toMatchObject({ resultType: 'complete' });
    expect(kindOf(answerIn(done))).toBe(outcome);
    expect(happened()).toBe(true);
  });

  it.each(NO)('is not done after %s, nor by a yes afterwards', async (_, answer, sentence) => {
    const { args, happened } = await prepare(plain, standIn);
    const { reply } = await asked(args);
    const refused = answerIn(await reply(answer));
    expect(kindOf(refused)).toBe('confirmation_required');
    expect(messageOf(refused)).toMatch(sentence);
    expect(messageOf(refused)).toMatch(/nothing was done/);
    expect(await reply(YES)).toMatchObject({ error: { code: INVALID_PARAMS } });
    expect(happened()).toBe(false);
  });

  it.each(NOTHING)('is asked about again after %s', async (_, more) => {
    const { args, happened } = await prepare(plain, standIn);
    const { key, state } = await asked(args);
    const again = await client.call(tool, args, { requestState: state, ...more(key) });
    expect(again).toMatchObject({ resultType: 'input_required' });
    expect(happened()).toBe(false);
    const { state: next } = questionIn(again);
    const done = await client.call(tool, args, { requestState: next, inputResponses: { [key]: YES } });
    expect(kindOf(answerIn(done))).toBe(outcome);
  });

  it('is asked about after a yes that nobody asked for, whatever the model confirms', async () => {
    const { args, happened } = await prepare(plain, standIn);
    for (const own of [{}, { confirm: 'true' }]) {
      const result = await client.call(tool, { ...args, ...own }, { inputResponses: { consent: YES } });
      expect(result).toMatchObject({ resultType: 'input_required' });
    }
    expect(happened()).toBe(false);
  });

  it('is done once with one state', async () => {
    const { args, happened } = await prepare(plain, standIn);
    const { reply } = await asked(args);
    const replies = await Promise.all([reply(YES), reply(YES), reply(YES)]);
    // A call that comes late may find that nothing is left to ask about.
    const done = replies.filter((one) => !('error' in one) && kindOf(answerIn(one)) === outcome);
    expect(done, JSON.stringify(replies)).toHaveLength(1);
    expect(happened()).toBe(true);
    expect(await reply(YES)).not.toHaveProperty('resultType', 'input_required');
  });

  it('is not done with a state that is forged, or for another call', async () => {
    const [other, mine] = [await prepare(plain, standIn), await prepare(plain, standIn)];
    const [{ key, state }, { state: foreign }] = [await asked(mine.args), await asked(other.args)];
    const parts = state.split('.');
    const [nonce, digest, expiry = '', signature = ''] = parts;
    const later = (Number.parseInt(expiry, 36) + 60_000).toString(36);
    const forged: unknown[] = [
      foreign,
      '',
      '....',
      `${state}=`,
      ` ${state}`,
      state.slice(0, -1),
      [nonce, digest, later, signature].join('.'),
      ['2d476ff9-ee3c-4b8c-b58d-fe2d22794d07', digest, expiry, signature].join('.'),
      [nonce, foreign.split('.')[1], expiry, signature].join('.'),
      { state },
      [state],
      7,
      null,
    ];
    for (const requestState of forged) {
      const reply = await client.call(tool, mine.args, { requestState, inputResponses: { [key]: YES } });
      expect(reply, String(requestState)).toMatchObject({ error: { code: INVALID_PARAMS } });
    }
    expect(mine.happened()).toBe(false);
  });

  it('takes two steps without the capability to ask, and a state of round trips is no confirmation', async () => {
    const { args, happened } = await prepare(plain, standIn);
    const { state } = await asked(args);
    for (const capabilities of [{}, { elicitation: { url: {} } }, { sampling: {} }]) {
      const result = answerIn(await client.call(tool, { ...args, confirm: state }, {}, capabilities));
      expect(kindOf(result)).toBe('confirmation_required');
      expect(messageOf(result)).toContain('Ask the user');
    }
    expect(happened()).toBe(false);
  });

  it('is done by another replica than the one that asked', async () => {
    const { args, happened } = await prepare(plain, standIn);
    const { key, state } = await asked(args);
    const replica = await open(environment);
    const done = await replica.call(tool, args, { requestState: state, inputResponses: { [key]: YES } });
    expect(kindOf(answerIn(done))).toBe(outcome);
    expect(happened()).toBe(true);
    await replica.close();
  });
});

describe.each(destructive)('the state for $title', ({ kit, tool, outcome, prepare }) => {
  const { store, remove } = temporaryStore();
  let standIn: StandIn;
  let environment: Environment;

  beforeAll(async () => {
    const started = await kit.start();
    standIn = started.standIn;
    environment = { ...started.environment, CUSTOMERS_STORE: store };
  });
  afterAll(async () => {
    await standIn.close();
    remove();
  });

  it.skipIf(outcome === 'created' && kit.keepsExternalId)('is good for ten minutes', async () => {
    const client = await modernOverStdio(environment);
    const { args, happened } = await prepare((name, given = {}) => plainCall(client, name, given), standIn);
    const { key, state } = questionIn(await client.call(tool, args));
    await client.close();
    const after = async (ms: number): Promise<Json> => {
      const clock = `--import=${new URL('clock.ts', import.meta.url).href}`;
      const later = await modernOverStdio({ ...environment, TEST_AHEAD_MS: String(ms), NODE_OPTIONS: clock });
      const result = await later.call(tool, args, { requestState: state, inputResponses: { [key]: YES } });
      await later.close();
      return result;
    };
    expect(await after(10 * 60_000)).toMatchObject({ error: { code: INVALID_PARAMS } });
    expect(happened()).toBe(false);
    expect(kindOf(answerIn(await after(9 * 60_000)))).toBe(outcome);
    expect(happened()).toBe(true);
  });

  it('belongs to one caller', async () => {
    const issuer = await startIssuer();
    const http = await serve({
      ...environment,
      CUSTOMERS_OAUTH_ISSUER: issuer.url,
      CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE,
    });
    const as = async (sub: string) => {
      const headers = bearer(await issuer.sign({ sub }));
      return async (name: string, args: Json, more: Json = {}, capabilities: Json = FORMS): Promise<Json> => {
        const params = stated({ name, arguments: args, ...more }, capabilities);
        const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params };
        const { json } = await post(http, body, { headers: { ...headers, ...headersFor('tools/call', params) } });
        return Object(json['result'] ?? json);
      };
    };
    const [ada, emmy] = [await as('ada'), await as('emmy')];
    const { args, happened } = await prepare(
      async (name, given = {}) => answerIn(await ada(name, given, {}, {})),
      standIn,
    );
    const { key, state } = questionIn(await ada(tool, args));
    const yes = { requestState: state, inputResponses: { [key]: YES } };
    expect(await emmy(tool, args, yes)).toMatchObject({ error: { code: INVALID_PARAMS } });
    expect(happened()).toBe(false);
    expect(kindOf(answerIn(await ada(tool, args, yes)))).toBe(outcome);
    http.kill();
    await issuer.close();
  });
});

describe.each(destructive.filter(({ tool }) => tool === 'archive_customer'))('$title in round trips', ({ kit }) => {
  it('is asked about again when the customer changed meanwhile, and done as it was shown last', async () => {
    const { standIn, environment } = await kit.start();
    const client = await modernOverStdio(environment);
    const { fields } = fresh(kit);
    const customer_id = idOf(await plainCall(client, 'create_customer', fields));
    const first = questionIn(await client.call('archive_customer', { customer_id }));
    standIn.customers.set(customer_id, {
      ...standIn.customers.get(customer_id),
      [kit.nameField.stored]: 'Hilbert Hotels',
    });
    const answer = (state: string): Promise<Json> =>
      client.call('archive_customer', { customer_id }, { requestState: state, inputResponses: { consent: YES } });
    const again = await answer(first.state);
    expect(again).toMatchObject({ resultType: 'input_required' });
    expect(questionIn(again).message).toContain('Hilbert Hotels');
    expect(kindOf(answerIn(await answer(questionIn(again).state)))).toBe('deleted');
    expect(await answer(first.state)).toMatchObject({ resultType: expect.anything() });
    await client.close();
    await standIn.close();
  });
});
