import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, type Connection, type ToolResult } from '../../support/client.ts';
import { startRaw, type StandIn } from '../../support/stand-in.ts';
import { grete, made, operationsOf, openScene, withToken } from './fixture.ts';
import { LAYER_ACCESS_TOKEN, LAYER_CLIENT_ID } from './stand-in.ts';

/** What was asked for besides the looks before a create. */
function besidesLists(standIn: StandIn): string[] {
  return operationsOf(standIn).filter((operation) => operation !== 'list');
}

describe.concurrent('Layer’s tokens', () => {
  it('are fetched once for ten calls that start together', async () => {
    const { standIn, server } = await openScene({ tokenUses: Infinity });
    const creates = Array.from({ length: 10 }, (_, n) =>
      server.call('create_customer', { ...grete(n), allow_duplicate: true }),
    );
    expect((await Promise.all(creates)).map(({ isError }) => isError)).not.toContain(true);
    expect(standIn.count('token')).toBe(1);
    expect(standIn.customers.size).toBe(10);
    expect(standIn.requests[0]?.headers.authorization).toMatch(/^Basic /);
  });

  it('that run out are replaced unseen, for calls in turn and for ten at once', async () => {
    // A token that ten calls use up would be refused twice for some of them.
    const { standIn, server } = await openScene({ tokenUses: 11 });
    const { id } = await made(server, grete(1));
    const answers: ToolResult[] = [];
    for (let n = 0; n < 20; n += 1) answers.push(await server.call('get_customer', { customer_id: id }));
    for (let round = 0; round < 2; round += 1)
      answers.push(
        ...(await Promise.all(Array.from({ length: 10 }, () => server.call('get_customer', { customer_id: id })))),
      );
    expect(answers.map(({ isError, text }) => (isError ? text : 'fine'))).toEqual(answers.map(() => 'fine'));
    expect(standIn.count('token')).toBeGreaterThan(2);
  });

  it('that run out in the middle of an update or a create do no harm', async () => {
    const { standIn, server } = await openScene({ tokenUses: 1 });
    const { id } = await made(server, grete(1));
    const update = await server.call('update_customer', { external_id: 'own-1', email: 'new@hermann.example' });
    expect(update.data, update.text).toMatchObject({ outcome: 'updated', customer_id: id });
    const again = await server.call('create_customer', { ...grete(1), email: 'newer@hermann.example' });
    expect(again.data, again.text).toMatchObject({ outcome: 'updated', customer_id: id });
    expect([...standIn.customers.values()]).toEqual([expect.objectContaining({ email: 'newer@hermann.example' })]);
  });

  it('are renewed before they run out', async () => {
    const { standIn, server } = await openScene();
    // The stand-in never lets this one run out, so only the time that it says can bring another.
    const body = { access_token: LAYER_ACCESS_TOKEN, expires_in: 3, token_type: 'Bearer' };
    standIn.fault({ on: 'token', act: { status: 200, body } });
    const { id } = await made(server, grete(1));
    await pause(3_000);
    expect((await server.call('get_customer', { customer_id: id })).isError).toBe(false);
    expect(besidesLists(standIn)).toEqual(['token', 'create', 'token', 'get']);
  });

  it('without a lifetime are reused', async () => {
    const { standIn, server } = await openScene();
    standIn.fault({ on: 'token', act: { status: 200, body: { access_token: LAYER_ACCESS_TOKEN } } });
    const { id } = await made(server, grete(1));
    for (let n = 0; n < 5; n += 1) await server.call('get_customer', { customer_id: id });
    expect(standIn.count('token')).toBe(1);
  });

  it('are asked for with the scope of the environment', async () => {
    const scope = 'https://api.layerfi.com/production';
    const { server } = await openScene({ scope }, (environment) => ({
      ...environment,
      LAYER_ENVIRONMENT: 'production',
    }));
    await made(server, grete(1));
  });

  it('that are refused even when fresh are an error after one renewal', async () => {
    const { standIn, server } = await openScene();
    standIn.fault({ on: 'get', times: Infinity, act: { status: 401 } });
    const answer = await server.call('get_customer', { customer_id: 'x' });
    expect(errorOf(answer)).toMatchObject({ kind: 'unauthorized' });
    expect(operationsOf(standIn)).toEqual(['token', 'get', 'token', 'get']);
  });

  it('refused for a wrong secret name the settings, show neither, and nothing else is sent', async () => {
    const wrong = 'wr0ng:secret/with+odd=chars';
    const { standIn, server } = await openScene({}, (environment) => ({
      ...environment,
      LAYER_CLIENT_SECRET: wrong,
      CUSTOMERS_LOG: 'debug',
    }));
    for (const answer of [
      await server.call('get_customer', { customer_id: 'x' }),
      await server.call('create_customer', grete(1)),
      await server.call('update_customer', { external_id: 'own-1', email: 'new@hermann.example' }),
    ]) {
      expect(errorOf(answer)).toMatchObject({ kind: 'unauthorized' });
      expect(answer.text).toContain('LAYER_CLIENT_ID');
      expect(answer.text).toContain('LAYER_CLIENT_SECRET');
      expect(answer.text).toContain('Wrong client id or secret');
      for (const secret of [wrong, Buffer.from(`${LAYER_CLIENT_ID}:${wrong}`).toString('base64')])
        expect(JSON.stringify(answer) + server.stderr()).not.toContain(secret);
    }
    expect(new Set(operationsOf(standIn))).toEqual(new Set(['token']));
  });

  it('made elsewhere are used as they are', async () => {
    const { standIn, server } = await openScene({ tokenUses: 0 }, withToken(LAYER_ACCESS_TOKEN));
    const { id } = await made(server, grete(1));
    expect((await server.call('get_customer', { customer_id: id })).isError).toBe(false);
    expect(besidesLists(standIn)).toEqual(['create', 'get']);
  });

  it('made elsewhere and refused name their setting, and are neither shown nor tried again', async () => {
    const { standIn, server } = await openScene({}, withToken('stale-token-from-yesterday'));
    const answer = await server.call('get_customer', { customer_id: 'x' });
    expect(errorOf(answer)).toMatchObject({ kind: 'unauthorized' });
    expect(answer.text).toContain('LAYER_ACCESS_TOKEN');
    expect(answer.text).not.toContain('LAYER_CLIENT');
    expect(JSON.stringify(answer) + server.stderr()).not.toContain('stale-token-from-yesterday');
    expect(operationsOf(standIn)).toEqual(['get']);
  });

  it('are asked for again once the endpoint is well', async () => {
    const { standIn, server } = await openScene();
    standIn.fault({ on: 'token', act: { status: 400, body: { error: 'invalid_client' } } });
    expect((await server.call('create_customer', grete(1))).isError).toBe(true);
    await made(server, grete(1));
  });

  it('are asked for again at once when the endpoint stumbles', async () => {
    const { standIn, server } = await openScene({ tokenUses: Infinity });
    standIn.fault({ on: 'token', act: { status: 503 } });
    await made(server, grete(1));
    expect(besidesLists(standIn)).toEqual(['token', 'token', 'create']);
  });

  it('from an address that does not respond are unavailable, and the setting is named', async () => {
    const dead = await startRaw('refuse');
    const { standIn, server } = await openScene({}, (environment) => ({
      ...environment,
      LAYER_TOKEN_URL: `${dead.origin}/oauth2/token`,
    }));
    const answer = await server.call('create_customer', grete(1));
    expect(errorOf(answer)).toMatchObject({ kind: 'unavailable' });
    expect(answer.text).toContain('LAYER_TOKEN_URL');
    expect(standIn.requests).toEqual([]);
    await dead.close();
  });
});

describe('Layer’s token endpoint', () => {
  let standIn: StandIn;
  /** Has never had a token. */
  let server: Connection;
  beforeAll(async () => ({ standIn, server } = await openScene()));
  beforeEach(() => standIn.reset());

  it.each([
    { act: 'html', kind: 'bad_response', words: ['token endpoint'] },
    { act: 'no-id', kind: 'bad_response', words: ['token endpoint', 'LAYER_TOKEN_URL'] },
    { act: 'empty', kind: 'bad_response', words: ['token endpoint', 'LAYER_TOKEN_URL'] },
    { act: 'cut', kind: 'bad_response', words: ['token endpoint'] },
    { act: 'array', kind: 'bad_response', words: ['token endpoint', 'LAYER_TOKEN_URL'] },
    { act: 'redirect', kind: 'bad_response', words: ['token endpoint', 'LAYER_TOKEN_URL'] },
    { act: { status: 500 }, kind: 'unavailable', words: ['token endpoint', 'again'] },
    { act: { status: 503 }, kind: 'unavailable', words: ['token endpoint', 'again'] },
    { act: 'reset', kind: 'unavailable', words: ['token endpoint', 'again'] },
    {
      act: { status: 400, body: { error: 'invalid_scope', error_description: 'No such scope' } },
      kind: 'unauthorized',
      words: ['No such scope', 'LAYER_CLIENT_ID', 'LAYER_CLIENT_SECRET', 'LAYER_ENVIRONMENT'],
    },
    { act: { status: 400, body: { error: 'invalid_client' } }, kind: 'unauthorized', words: ['invalid_client'] },
    { act: { status: 429, headers: { 'retry-after': '90' } }, kind: 'rate_limited', words: ['90'] },
  ] as const)('answering $act is told as $kind, and no customer is sent', async ({ act, kind, words }) => {
    standIn.fault({ on: 'token', times: Infinity, act });
    const [reading, creating] = await Promise.all([
      server.call('get_customer', { customer_id: 'x' }),
      server.call('create_customer', grete(1)),
    ]);
    for (const answer of [reading, creating]) {
      expect(errorOf(answer), answer.text).toMatchObject({ kind });
      for (const word of words) expect(answer.text).toContain(word);
    }
    expect(new Set(operationsOf(standIn))).toEqual(new Set(['token']));
  });
});
