import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { kindOf, messageOf } from '../support/answers.ts';
import { connect, errorOf, temporaryStore, type Connection, type Environment } from '../support/client.ts';
import { isRecord, type StandIn } from '../support/stand-in.ts';
import { clocked, destructive } from './cases.ts';

const accept = (content?: unknown) => ({ result: { action: 'accept', ...(content !== undefined && { content }) } });
const action = (word: unknown, content?: unknown) => ({
  result: { action: word, ...(content !== undefined && { content }) },
});
const error = (code: number, message = 'No.') => ({ error: { code, message } });

/** What hosts answer that is not consent, and what the answer says about it. */
const NO: readonly (readonly [string, object | undefined, RegExp])[] = [
  ['decline', action('decline'), /user declined/],
  ['decline beside a checked box', action('decline', { confirm: true }), /user declined/],
  ['cancel', action('cancel'), /did not answer.*CUSTOMERS_CONFIRM/],
  ['cancel beside a checked box', action('cancel', { confirm: true }), /did not answer.*CUSTOMERS_CONFIRM/],
  ['accept without content', accept(), /without consent in it/],
  ['accept with null', accept(null), /without consent in it/],
  ['accept of an empty form', accept({}), /without consent in it/],
  ['accept with the box unchecked', accept({ confirm: false }), /without consent in it/],
  ['accept with "true"', accept({ confirm: 'true' }), /is not consent/],
  ['accept with 1', accept({ confirm: 1 }), /is not consent/],
  ['accept with a null in the box', accept({ confirm: null }), /is not consent/],
  ['accept with a list in the box', accept({ confirm: [true] }), /is not consent/],
  ['accept with another field', accept({ agree: true }), /is not consent/],
  ['accept with a field too many', accept({ confirm: true, remember: true }), /is not consent/],
  ['accept with a list', accept([true]), /is not consent/],
  ['accept with a text', accept('true'), /is not consent/],
  ['accept with true', accept(true), /is not consent/],
  ['reject', action('reject'), /is not consent/],
  ['reject beside a checked box', action('reject', { confirm: true }), /is not consent/],
  ['Accept', action('Accept', { confirm: true }), /is not consent/],
  ['yes', action('yes', { confirm: true }), /is not consent/],
  ['an action that is true', action(true, { confirm: true }), /is not consent/],
  ['a box without an action', { result: { content: { confirm: true } } }, /is not consent/],
  ['an empty object', { result: {} }, /is not consent/],
  ['an internal error', error(-32_603), /could not ask/],
  ['an error for its parameters', error(-32_602), /could not ask/],
  ['an error of its own', error(-1, 'User rejected'), /could not ask/],
  ['an error of its own without words', error(4_001, ''), /could not ask/],
  ['silence', undefined, /within ten minutes/],
  ['a result that is null', { result: null }, /is not consent/],
  ['an error that is a text', { error: 'no' }, /could not ask/],
  ['an error without a code', { error: { message: 'no' } }, /could not ask/],
  ['a result that is a text', { result: 'accept' }, /is not consent/],
  ['a result that is a list', { result: [{ action: 'accept' }] }, /is not consent/],
];

describe.each(destructive)('$title, asked of the user', ({ kit, tool, outcome, prepare }) => {
  const { store, remove } = temporaryStore();
  const questions: Record<string, unknown>[] = [];
  let reply: object | undefined;
  let standIn: StandIn;
  let environment: Environment;
  let asking: Connection;
  /** Cannot ask, and shares the store. */
  let plain: Connection;

  beforeAll(async () => {
    const started = await kit.start();
    standIn = started.standIn;
    environment = { ...started.environment, CUSTOMERS_STORE: store };
    const onQuestion = (params: Record<string, unknown>): object | undefined => {
      questions.push(params);
      return reply;
    };
    asking = await connect({ ...environment, TEST_QUESTION_MS: '300' }, { onQuestion, program: clocked });
    plain = await connect(environment);
  });
  beforeEach(() => void questions.splice(0));
  afterAll(async () => {
    await Promise.all([asking.close(), plain.close()]);
    await standIn.close();
    remove();
  });

  it('is done when the box is checked, in a form with one required box', async () => {
    const { args, names, happened } = await prepare(asking.call, standIn);
    reply = accept({ confirm: true });
    const result = await asking.call(tool, args);
    expect(kindOf(result), result.text).toBe(outcome);
    expect(happened()).toBe(true);

    const [{ message, requestedSchema } = {}, ...others] = questions;
    expect(others).toEqual([]);
    for (const name of names) expect(message).toContain(name);
    expect(requestedSchema).toMatchObject({ type: 'object', required: ['confirm'] });
    const { properties } = isRecord(requestedSchema) ? requestedSchema : {};
    expect(properties).toEqual({ confirm: expect.objectContaining({ type: 'boolean' }) });
  });

  it.each(NO)('is not done after %s, whatever the model confirms', async (_, answer, sentence) => {
    const { args, happened } = await prepare(asking.call, standIn);
    const { confirm } = errorOf(await plain.call(tool, args)) ?? {};
    expect(confirm).toEqual(expect.any(String));
    reply = answer;
    for (const own of [{}, { confirm }, { confirm: 'true' }]) {
      const result = await asking.call(tool, { ...args, ...own });
      expect(kindOf(result)).toBe('confirmation_required');
      expect(messageOf(result)).toMatch(sentence);
      expect(messageOf(result)).toMatch(/nothing was done/);
      expect(errorOf(result)).not.toHaveProperty('confirm');
    }
    expect(questions).toHaveLength(3);
    expect(happened()).toBe(false);
  });

  it('takes two steps when the client turns out not to know the question', async () => {
    const { args, happened } = await prepare(asking.call, standIn);
    reply = error(-32_601, 'Method not found');
    const first = await asking.call(tool, { ...args, confirm: 'true' });
    expect(kindOf(first)).toBe('confirmation_required');
    expect(happened()).toBe(false);
    expect(kindOf(await asking.call(tool, { ...args, confirm: errorOf(first)?.['confirm'] }))).toBe(outcome);
    expect(happened()).toBe(true);
    expect(questions).toHaveLength(2);
  });

  it('is not done when the call is cancelled before the answer, and the server goes on', async () => {
    const { args, happened } = await prepare(asking.call, standIn);
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const late = Promise.withResolvers<object>();
    const client = await connect(environment, {
      onQuestion() {
        resolve();
        return late.promise;
      },
    });
    const stop = new AbortController();
    const pending = client.client.callTool({ name: tool, arguments: args }, undefined, { signal: stop.signal });
    await asked;
    stop.abort('not wanted');
    await expect(pending).rejects.toThrow();
    late.resolve(accept({ confirm: true }));
    expect((await client.call('search_customer')).isError).toBe(false);
    expect(happened()).toBe(false);
    await client.close();
  });

  it('is not done if the client disconnects before the answer', async () => {
    const { args, happened } = await prepare(asking.call, standIn);
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const client = await connect(environment, { onQuestion: () => void resolve() });
    const pending = client.call(tool, { ...args }).catch(() => undefined);
    await asked;
    const { pid } = client;
    await client.close();
    await pending;
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 5_000 });
    expect(happened()).toBe(false);
  });
});
