import { describe, expect, it } from 'vitest';
import { idOf } from '../../support/answers.ts';
import { connect, errorOf } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import { startRaw } from '../../support/stand-in.ts';
import { AGAIN, openScene, refusalIn } from './scene.ts';

describe.each(kits)('failures of $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored, sent, forgetRequests } = scene;
  const { title, externalIdField, read, settings, change } = kit;

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
    const body = kit.refusal('Words of its own');
    scene.standIn.fault({ on: read, times: Infinity, act: { status, body } });
    const { message } = refusalIn(await call('get_customer', { customer_id: customerId }), kind);
    expect(message).toContain(title);
    expect(message).toContain('Words of its own');
    for (const word of next) expect(message).toMatch(word);
  });

  it.each(failures.filter(({ status }) => status < 500))(
    'a create answered with $status is $kind, and creates no customer',
    async ({ status, kind, next }) => {
      const { id, few } = fresh();
      scene.standIn.fault({ on: 'create', times: Infinity, act: { status, body: kit.refusal('Words of its own') } });
      const answer = await call('create_customer', { ...few, [externalIdField]: id });
      const { message } = refusalIn(answer, kind);
      expect(message).toContain(title);
      expect(message).toContain('Words of its own');
      // A create names no customer, so there a 404 is about the account.
      if (status !== 404) for (const word of next) expect(message).toMatch(word);
      expect(scene.standIn.customers.size).toBe(0);
    },
  );

  it.each(failures.filter(({ status }) => status < 500))(
    'an update answered with $status is $kind, and changes nothing',
    async ({ status, kind }) => {
      const customerId = await create(fresh().few);
      const before = stored(customerId);
      scene.standIn.fault({ on: 'update', times: Infinity, act: { status, body: kit.refusal('Words of its own') } });
      const args = { customer_id: customerId, [change.field]: change.value };
      const { message } = refusalIn(await call('update_customer', args), kind);
      expect(message).toContain('Words of its own');
      expect(stored(customerId)).toEqual(before);
    },
  );

  it('are reported with their status even if they contain no words, or HTML', async () => {
    const customerId = await create(fresh().few);
    for (const body of ['', '<!doctype html><p>Sign in', '{"unfinished', [], null, { surprise: { deep: true } }]) {
      scene.standIn.fault({ on: read, act: { status: 403, body } });
      const { message } = refusalIn(await call('get_customer', { customer_id: customerId }), 'forbidden');
      expect(message).toContain(title);
      expect(message).not.toMatch(/doctype|unfinished|surprise|undefined|null|object/);
    }
  });

  it('quote no more than 300 characters of the provider, on one line, with nothing invisible', async () => {
    const words = `Odd\u202e \u0007words\n\n\u{e0041}of ${'a'.repeat(1_000)} END`;
    const customerId = await create(fresh().few);
    scene.standIn.fault({ on: read, times: Infinity, act: { status: 400, body: kit.refusal(words) } });
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
    const body = kit.refusal(`The key ${[shown, ...kit.secrets].join(', ')} may not do this`);
    scene.standIn.fault({ on: read, times: Infinity, act: { status: 403, body } });
    const answer = await call('get_customer', { customer_id: customerId });
    refusalIn(answer, 'forbidden');
    expect(answer.text).not.toContain(token);
  });

  it.each([{ act: { status: 502 } }, { act: { status: 503 } }, { act: { status: 504 } }, { act: 'reset' }] as const)(
    'that pass are not seen: a read is repeated after $act',
    async ({ act }) => {
      const customerId = await create(fresh().few);
      scene.standIn.fault({ on: 'get', act });
      expect(idOf(await call('get_customer', { customer_id: customerId }))).toBe(customerId);
      expect(scene.standIn.count('get')).toBe(2);
    },
  );

  it('that last are reported after a few attempts', async () => {
    const customerId = await create(fresh().few);
    scene.standIn.fault({ on: 'get', times: Infinity, act: 'reset' });
    const { message } = refusalIn(await call('get_customer', { customer_id: customerId }), 'unavailable');
    expect(message).toContain(title);
    expect(message).toMatch(AGAIN);
    expect(scene.standIn.count('get')).toBeGreaterThan(1);
    expect(scene.standIn.count('get')).toBeLessThan(6);
  });

  it('to answer in full within the budget end in an error, not in a wait without end', async () => {
    const customerId = await create(fresh().few);
    scene.standIn.fault({ on: 'get', times: Infinity, act: 'hang' });
    scene.standIn.fault({ on: 'list', times: Infinity, act: 'drip' });
    const [silent, slow] = await Promise.all([
      call('get_customer', { customer_id: customerId }, scene.shortTimeoutServer),
      call('search_customer', {}, scene.shortTimeoutServer),
    ]);
    expect(refusalIn(silent, 'unavailable').message).toContain(title);
    expect(['unavailable', 'bad_response']).toContain(errorOf(slow)?.kind);
  });

  it('that ask for a short wait are waited for', async () => {
    const customerId = await create(fresh().few);
    scene.standIn.fault({ on: 'get', act: { status: 429, headers: { 'retry-after': '1' } } });
    expect(idOf(await call('get_customer', { customer_id: customerId }))).toBe(customerId);
    expect(scene.standIn.count('get')).toBe(2);
  });

  it('that ask for a long wait are passed on at once, with the wait', async () => {
    const { id, few } = fresh();
    const customerId = await create(few);
    const act = { status: 429, headers: { 'retry-after': '3600' } };
    scene.standIn.fault({ on: 'get', times: Infinity, act });
    scene.standIn.fault({ on: 'create', times: Infinity, act });
    forgetRequests();
    const reading = await call('get_customer', { customer_id: customerId });
    const creating = await call('create_customer', { ...fresh().few, [externalIdField]: id });
    for (const answer of [reading, creating]) {
      const { message, error } = refusalIn(answer, 'rate_limited');
      expect(error.retry_after_s).toBe(3_600);
      expect(message).toContain('3600');
    }
    expect(scene.standIn.count('get')).toBe(1);
    expect(scene.standIn.count('create')).toBe(1);
  });

  it('to stay put are errors: a redirect is not followed', async () => {
    const { id, few } = fresh();
    const customerId = await create(few);
    const act = { redirect: scene.standIn.origin };
    scene.standIn.fault({ on: 'get', act });
    expect(refusalIn(await call('get_customer', { customer_id: customerId }), 'bad_response').message).toContain(title);
    expect(scene.standIn.count('get')).toBe(1);
    scene.standIn.fault({ on: 'list', act });
    refusalIn(await call('search_customer'), 'bad_response');
    scene.standIn.reset();
    scene.standIn.fault({ on: 'create', times: Infinity, act });
    refusalIn(await call('create_customer', { ...few, [externalIdField]: id }), 'outcome_unknown');
    expect(scene.standIn.customers.size).toBe(0);
  });

  it('to connect are unavailable, also for a create, which was not sent', async () => {
    const { id, few } = fresh();
    const dead = await Promise.all([startRaw('refuse'), startRaw('reset-on-accept')]);
    const cutOff = await Promise.all(
      dead.map(({ origin }) => connect({ ...scene.environment, [settings.baseUrl]: origin })),
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
      expect(message).toContain(settings.baseUrl);
    }
  });
});
