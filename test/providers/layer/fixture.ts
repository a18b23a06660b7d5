import { afterAll, expect } from 'vitest';
import { isRecord } from '../../../src/text.ts';
import { connect, type Connection, type Environment } from '../../support/client.ts';
import type { Fields } from '../../support/provider-kit.ts';
import type { StandIn } from '../../support/stand-in.ts';
import { startLayer, type LayerOptions } from './stand-in.ts';

export interface Scene {
  readonly standIn: StandIn;
  readonly server: Connection;
}

const scenes: Scene[] = [];

/** A server and its stand-in, until the end of the file. */
export async function openScene(
  options: LayerOptions = {},
  adapt: (environment: Environment) => Environment = (environment) => environment,
): Promise<Scene> {
  const { standIn, environment } = await startLayer(options);
  const opened = { standIn, server: await connect(adapt(environment)) };
  scenes.push(opened);
  return opened;
}

afterAll(async () => {
  await Promise.all(scenes.flatMap(({ server, standIn }) => [server.close(), standIn.close()]));
});

/** A customer with every kind of field, as arguments. */
export function grete(n: number) {
  return {
    external_id: `own-${n}`,
    individual_name: 'Grete Hermann',
    company_name: 'Hermann Optics',
    email: 'grete@hermann.example',
    notes: 'Prefers mornings',
    tags: [{ key: 'department', value: 'sales' }],
  };
}

/** Creates, and gives the id and the document of the answer. */
export async function made(
  server: Connection,
  fields: Fields,
): Promise<{ readonly id: string; readonly document: Fields }> {
  const { data, text } = await server.call('create_customer', { ...fields });
  expect(data, text).toMatchObject({ customer_id: expect.any(String) });
  return { id: String(data.customer_id), document: isRecord(data.customer) ? data.customer : {} };
}

export function operationsOf({ requests }: StandIn): readonly string[] {
  return requests.map(({ operation }) => operation);
}

export function withToken(token: string): (environment: Environment) => Environment {
  return ({ LAYER_CLIENT_ID: _id, LAYER_CLIENT_SECRET: _secret, ...environment }) => ({
    ...environment,
    LAYER_ACCESS_TOKEN: token,
  });
}
