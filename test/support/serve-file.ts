import { afterAll, beforeAll, beforeEach } from 'vitest';
import { connect, type Connection, type Environment } from './client.ts';
import type { StandIn } from './stand-in.ts';

/** A stand-in, emptied before each test, and one server that talks to it, until the end of the file. */
export function serveFile(
  start: () => Promise<{ readonly standIn: StandIn; readonly environment: Environment }>,
  environment: Environment = {},
) {
  let provider: StandIn;
  let server: Connection;
  beforeAll(async () => {
    const started = await start();
    provider = started.standIn;
    server = await connect({ ...started.environment, ...environment });
  });
  beforeEach(() => provider.reset());
  afterAll(async () => {
    await server.close();
    await provider.close();
  });
  return {
    get provider() {
      return provider;
    },
    call: (tool: string, args: Record<string, unknown> = {}) => server.call(tool, args),
    create: (args: Record<string, unknown>) => server.call('create_customer', args),
  };
}
