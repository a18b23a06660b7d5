import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { connect, errorOf, type Connection, type Environment, type ToolResult } from '../support/client.ts';
import type { Report } from '../support/report.ts';
import type { Fields, ProviderKit } from '../support/provider-kit.ts';
import type { StandIn } from '../support/stand-in.ts';

const BUDGET_MS = 3_000;
const GRACE_MS = 5_000;

export interface Timed {
  readonly answer: ToolResult;
  readonly ends: string;
  readonly ms: number;
}

/** A provider, and a server with a store. */
export interface Scene {
  readonly standIn: StandIn;
  readonly externalIdField: string;
  timed(tool: string, args: Fields): Promise<Timed>;
  /** A new create, with an external id. */
  freshCreate(): Fields;
  /** How often a create has reached the provider. */
  sent(create: Fields): number;
  close(): Promise<void>;
}

export async function startScene(kit: ProviderKit, address: string): Promise<Scene> {
  const { standIn, environment } = await kit.start();
  const { server, ms } = await startServer({ ...environment, CUSTOMERS_STORE: address });
  expect(ms, 'the server started too late').toBeLessThan(BUDGET_MS + GRACE_MS);
  return {
    standIn,
    externalIdField: kit.externalIdField,
    timed: (tool, args) => timed(server, tool, args),
    freshCreate() {
      const id = randomUUID();
      return { [kit.externalIdField]: id, ...kit.minimal(`Firm ${id}`, `${id}@example.com`) };
    },
    sent: (create) =>
      standIn.requests.filter(
        ({ operation, rawBody }) => operation === 'create' && rawBody.includes(String(create[kit.externalIdField])),
      ).length,
    async close() {
      await server.close();
      await standIn.close();
    },
  };
}

export async function startServer(environment: Environment): Promise<{ server: Connection; ms: number }> {
  const startedAt = performance.now();
  const server = await connect({ ...environment, CUSTOMERS_TIMEOUT_MS: String(BUDGET_MS) });
  return { server, ms: performance.now() - startedAt };
}

export async function timed(server: Connection, tool: string, args: Fields): Promise<Timed> {
  const startedAt = performance.now();
  const answer = await server.call(tool, { ...args });
  const ms = performance.now() - startedAt;
  expect(ms, `${tool} took too long`).toBeLessThan(BUDGET_MS + GRACE_MS);
  const error = errorOf(answer);
  return { answer, ends: error ? String(error.kind) : String(answer.data.outcome ?? 'ok'), ms };
}

/** The end of a create, and how often it was sent. */
type Ended = Pick<Timed, 'ends' | 'ms'> & { readonly requests: number };

/** Adds the end of a create to a report. */
export function note(
  report: Report,
  fault: readonly [engine: string, how: string],
  { ends, ms, requests }: Ended,
): void {
  const [subject, how] = fault;
  report.add(how, 'create', { subject, outcome: ends, requests, ms });
}
