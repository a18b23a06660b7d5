import { createServer } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startCall } from '../../../src/http-client/call.ts';
import { clientCredentialTokens } from '../../../src/providers/layer/client-credentials.ts';

/** The tokens of an endpoint that answers with a new token, its life as JSON, when it is let. */
async function tokensOf({ life = '3600', held = Promise.resolve() }: { life?: string; held?: Promise<void> } = {}) {
  let asked = 0;
  const server = createServer(async (_request, response) => {
    asked += 1;
    const answer = `{"access_token":"token-${asked}","token_type":"Bearer","expires_in":${life}}`;
    await held;
    response.end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const tokens = clientCredentialTokens({
    clientId: 'id',
    clientSecret: 'secret',
    scope: 'scope',
    tokenUrl: `http://127.0.0.1:${address.port}/token`,
    variables: {
      clientId: { name: 'LAYER_CLIENT_ID' },
      clientSecret: { name: 'LAYER_CLIENT_SECRET' },
      environment: { name: 'LAYER_ENVIRONMENT' },
      tokenUrl: { name: 'LAYER_TOKEN_URL' },
    },
  });
  onTestFinished(async () => {
    await tokens.close();
    server.closeAllConnections();
    server.close();
  });
  return { tokens, asked: () => asked };
}

const patient = () => startCall(new AbortController().signal, 25_000);

describe('a token that several calls wait for', () => {
  it('is fetched on for the others when one runs out of time', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const { tokens, asked } = await tokensOf({ held });
    const shortCall = tokens.current(startCall(new AbortController().signal, 50));
    const longCall = tokens.current(patient());
    await expect(shortCall).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('token endpoint'),
    });
    release();
    await expect(longCall).resolves.toMatchObject({ value: 'token-1' });
    await expect(tokens.current(patient())).resolves.toMatchObject({ value: 'token-1' });
    expect(asked()).toBe(1);
  });

  it('is fetched on for the others when one is cancelled', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const { tokens, asked } = await tokensOf({ held });
    const caller = new AbortController();
    const cancelled = tokens.current(startCall(caller.signal, 25_000));
    const longCall = tokens.current(patient());
    caller.abort();
    await expect(cancelled).rejects.toMatchObject({ kind: 'unavailable' });
    release();
    await expect(longCall).resolves.toMatchObject({ value: 'token-1' });
    expect(asked()).toBe(1);
  });

  it('and for which none waits any longer does no harm when it fails', async () => {
    const { tokens } = await tokensOf({ held: new Promise(() => {}) });
    await expect(tokens.current(startCall(new AbortController().signal, 50))).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await tokens.close();
  });
});

it.each(['-1', '0', '-5e9', '1e999', '-1e999', '1e300', '"soon"', '""', 'null', '{}', '"3600"'])(
  'a token with a lifetime of %s seconds is reused',
  async (life) => {
    const { tokens, asked } = await tokensOf({ life });
    for (let calls = 0; calls < 3; calls += 1) await tokens.current(patient());
    expect(asked()).toBe(1);
  },
);
