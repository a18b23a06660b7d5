import { setTimeout as pause } from 'node:timers/promises';
import Keyv from 'keyv';
import { describe, expect, it, onTestFinished } from 'vitest';
import { handleLayer, layerSandbox } from '../../../src/providers/layer/sandbox.ts';
import { SandboxCustomers, startSandbox } from '../../../src/sandbox.ts';
import { connect, errorOf, type Environment } from '../../support/client.ts';
import { command } from '../../support/process.ts';
import type { StandIn } from '../../support/stand-in.ts';
import { grete, made, openScene, operationsOf, withToken } from './fixture.ts';
import { LAYER_ACCESS_TOKEN, LAYER_BUSINESS_ID, LAYER_CLIENT_SECRET } from './stand-in.ts';

const perBusiness = (environment: Environment): Environment => ({ ...environment, LAYER_BUSINESS_TOKEN: 'true' });

/** The tokens that the requests of an operation carried. */
function tokensOf({ requests }: StandIn, operation: string): ReadonlySet<string | undefined> {
  return new Set(requests.filter((one) => one.operation === operation).map(({ headers }) => headers.authorization));
}

describe.concurrent('a token of the business', () => {
  it('is made once for ten calls that start together, and is all that customers are asked for with', async () => {
    const { standIn, server } = await openScene({ tokenUses: Infinity, businessOnly: true }, perBusiness);
    const creates = Array.from({ length: 10 }, (_, n) =>
      server.call('create_customer', { ...grete(n), allow_duplicate: true }),
    );
    for (const { isError, text } of await Promise.all(creates)) expect(isError, text).toBe(false);
    expect([standIn.count('token'), standIn.count('business-token')]).toEqual([1, 1]);
    const [request] = standIn.requests.filter(({ operation }) => operation === 'business-token');
    expect(request).toMatchObject({
      path: `/v1/businesses/${LAYER_BUSINESS_ID}/auth-token`,
      body: { session_duration: 3600 },
    });
    for (const operation of ['create', 'list'])
      for (const token of tokensOf(standIn, operation)) expect(token).toMatch(/^Bearer business-/);
  });

  it('is renewed before it runs out', async () => {
    const { standIn, server } = await openScene(
      { tokenUses: Infinity, businessOnly: true, businessTokenSeconds: 3 },
      perBusiness,
    );
    const { id } = await made(server, grete(1));
    await pause(2_600);
    expect((await server.call('get_customer', { customer_id: id })).isError).toBe(false);
    expect(operationsOf(standIn).slice(-2)).toEqual(['business-token', 'get']);
    expect(standIn.count('token')).toBe(1);
  });

  it('is renewed once after a 401, with a new token of the account if that one ran out too', async () => {
    const { standIn, server } = await openScene(
      { tokenUses: 1, businessOnly: true, businessTokenUses: 2 },
      perBusiness,
    );
    const { id } = await made(server, grete(1));
    for (let n = 0; n < 6; n += 1) {
      const { isError, text } = await server.call('get_customer', { customer_id: id });
      expect(isError, text).toBe(false);
    }
    expect(standIn.count('business-token')).toBeGreaterThan(3);
    expect(standIn.customers.size).toBe(1);
  });

  it('that is refused when it is fresh is an error that names the settings', async () => {
    const { standIn, server } = await openScene({ tokenUses: Infinity }, perBusiness);
    standIn.fault({ on: 'get', times: Infinity, act: { status: 401 } });
    const answer = await server.call('get_customer', { customer_id: 'x' });
    expect(errorOf(answer)).toMatchObject({ kind: 'unauthorized' });
    expect(answer.text).toContain('LAYER_BUSINESS_TOKEN');
    expect(operationsOf(standIn)).toEqual(['token', 'business-token', 'get', 'business-token', 'get']);
  });

  it.each([400, 403, 404, 409, 422])(
    'that Layer refuses to make with %i is not an answer about a customer',
    async (status) => {
      const { standIn, server } = await openScene({ tokenUses: Infinity }, perBusiness);
      standIn.fault({ on: 'business-token', times: Infinity, act: { status } });
      for (const [tool, args] of [
        ['get_customer', { customer_id: 'x' }],
        ['create_customer', grete(1)],
      ] as const) {
        const answer = await server.call(tool, args);
        expect(errorOf(answer), answer.text).toMatchObject({ kind: 'unauthorized' });
        expect(answer.text).toMatch(/business token endpoint.*LAYER_BUSINESS_ID.*LAYER_BUSINESS_TOKEN=false/);
      }
      expect(new Set(operationsOf(standIn))).toEqual(new Set(['token', 'business-token']));
    },
  );

  it('for a wrong secret is an error that names the credentials and shows no secret', async () => {
    const { standIn, server } = await openScene({}, (environment) =>
      perBusiness({ ...environment, LAYER_CLIENT_SECRET: 'wr0ng:secret' }),
    );
    const answer = await server.call('create_customer', grete(1));
    expect(errorOf(answer)).toMatchObject({ kind: 'unauthorized' });
    expect(answer.text).toContain('LAYER_CLIENT_SECRET');
    expect(answer.text + server.stderr()).not.toContain('wr0ng:secret');
    expect(answer.text).not.toContain(LAYER_CLIENT_SECRET);
    expect(new Set(operationsOf(standIn))).toEqual(new Set(['token']));
  });

  it.each([
    { act: { status: 503 }, kind: 'unavailable' },
    { act: 'reset', kind: 'unavailable' },
    { act: 'html', kind: 'bad_response' },
    { act: 'empty', kind: 'bad_response' },
    { act: 'no-id', kind: 'bad_response' },
    { act: { status: 429, headers: { 'retry-after': '90' } }, kind: 'rate_limited' },
  ] as const)('that comes with $act is $kind, and nothing else is sent', async ({ act, kind }) => {
    const { standIn, server } = await openScene({ tokenUses: Infinity }, perBusiness);
    standIn.fault({ on: 'business-token', times: Infinity, act });
    const answer = await server.call('create_customer', grete(1));
    expect(errorOf(answer), answer.text).toMatchObject({ kind });
    expect(answer.text).toContain('business token endpoint');
    expect(new Set(operationsOf(standIn))).toEqual(new Set(['token', 'business-token']));
  });

  it('is made with a token that was made elsewhere, too', async () => {
    const { standIn, server } = await openScene({ tokenUses: 0, businessOnly: true }, (environment) =>
      perBusiness(withToken(LAYER_ACCESS_TOKEN)(environment)),
    );
    await made(server, grete(1));
    expect(tokensOf(standIn, 'business-token')).toEqual(new Set([`Bearer ${LAYER_ACCESS_TOKEN}`]));
    expect(standIn.count('token')).toBe(0);
  });
});

it('is spoken by the sandbox', async () => {
  const kept = new Keyv();
  let writes = 0;
  const customers = new SandboxCustomers(
    kept,
    { current: async () => writes, next: async () => (writes += 1) },
    'layer',
  );
  const paths: string[] = [];
  const sandbox = await startSandbox((request, all) => {
    paths.push(`${request.segments.at(-1)} ${request.headers.authorization}`);
    return handleLayer(request, all);
  }, customers);
  const server = await connect({
    CUSTOMERS_PROVIDER: 'layer',
    LAYER_BASE_URL: sandbox.origin,
    LAYER_TOKEN_URL: `${sandbox.origin}/oauth2/token`,
    LAYER_CLIENT_ID: layerSandbox.clientId,
    LAYER_CLIENT_SECRET: layerSandbox.clientSecret,
    LAYER_BUSINESS_ID: layerSandbox.businessId,
    LAYER_BUSINESS_TOKEN: 'true',
  });
  onTestFinished(async () => {
    await server.close();
    await sandbox.close();
  });
  await made(server, grete(1));
  expect(paths).toContain('auth-token Bearer sandbox-token');
  expect(paths.filter((one) => one.startsWith('customers'))).toEqual(
    paths.slice(2).map(() => 'customers Bearer sandbox-business-token'),
  );
});

it('that is neither true nor false is a configuration error', async () => {
  const { code, stderr } = await command(['tools'], {
    CUSTOMERS_PROVIDER: 'layer',
    CUSTOMERS_STORE: 'memory:',
    LAYER_BUSINESS_TOKEN: 'yes',
  });
  expect(code).toBe(2);
  expect(stderr).toContain('LAYER_BUSINESS_TOKEN must be one of true, false.');
});
