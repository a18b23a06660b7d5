import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { isRecord } from '../../../src/text.ts';
import { idOf } from '../../support/answers.ts';
import {
  connect,
  errorOf,
  type ConnectOptions,
  type Connection,
  type Environment,
  type ToolResult,
} from '../../support/client.ts';
import type { Fields, ProviderKit } from '../../support/provider-kit.ts';
import type { Act, Recorded, StandIn } from '../../support/stand-in.ts';

/** Answers to an accepted write that hold less, more or something else than they should. */
export const ODD_ANSWERS: readonly Act[] = ['html', 'empty', 'cut', 'cut-chunked', 'null', 'array', 'no-id', 'extra'];
/** Answers from which nothing can be read. */
export const UNREADABLE: readonly Act[] = [
  'html',
  'array',
  'null',
  'empty',
  'cut',
  'cut-chunked',
  'no-id',
  'huge',
  'gzip',
];
/** What an error says that is worth another try. */
export const AGAIN = /again|next call/i;

/** More than the server keeps in reserve for recording a create. */
const SHORT_TIMEOUT_MS = 1_500;
const INVISIBLE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/u;

/** A customer that no other test has used. */
interface Fresh {
  /** An external id. */
  readonly id: string;
  /** Every field but the external id. */
  readonly all: Fields;
  /** The fields of another customer: few of them. */
  readonly few: Fields;
}

/** What the tests of a contract share: a stand-in, two servers, and checks that hold for every answer. */
export interface Scene {
  readonly standIn: StandIn;
  readonly environment: Environment;
  /** Never asks for consent, unless the options say so. */
  readonly server: Connection;
  /** Has a short time limit and a store of its own, so it has seen no external id of `server`. */
  readonly shortTimeoutServer: Connection;
  fresh(): Fresh;
  /** Calls a tool of `server`, or of another one, and checks what is true of every answer. */
  call(tool: string, args?: Fields, connection?: Connection): Promise<ToolResult>;
  /** The provider's id of a customer that was just created. */
  create(fields: Fields, externalId?: string): Promise<string>;
  /** The document that the provider has. */
  stored(id: string): Record<string, unknown>;
  /** What reached the provider, apart from tokens. */
  sent(): readonly Recorded[];
  operations(): readonly string[];
  /** Ends all faults; the customers stay. */
  recover(): void;
  forgetRequests(): void;
}

export interface SceneOptions {
  /** Further settings of `server`. */
  readonly environment?: Environment;
  /** What the client of `server` can do. */
  readonly client?: ConnectOptions;
}

/** Opens a scene for the tests of the suite in which it is called. The provider is emptied after each test. */
export function openScene(kit: ProviderKit, options: SceneOptions = {}): Scene {
  const open: { standIn?: StandIn; environment?: Environment; servers: Connection[] } = { servers: [] };
  let serial = 0;

  beforeAll(async () => {
    const { standIn, environment } = await kit.start();
    open.standIn = standIn;
    open.environment = environment;
    const common = { ...environment, CUSTOMERS_CONFIRM: 'never', CUSTOMERS_LOG: 'debug' };
    open.servers = await Promise.all([
      connect({ ...common, ...options.environment }, options.client),
      connect({ ...common, CUSTOMERS_TIMEOUT_MS: String(SHORT_TIMEOUT_MS) }),
    ]);
  });
  afterEach(() => {
    scene.standIn.reset();
    for (const server of open.servers) expectNoSecret(server.stderr());
  });
  afterAll(async () => {
    await Promise.all(open.servers.map((server) => server.close()));
    await open.standIn?.close();
  });

  function expectNoSecret(written: string): void {
    for (const secret of kit.secrets) expect(written).not.toContain(secret);
  }

  const scene: Scene = {
    get standIn() {
      return open.standIn ?? expect.unreachable();
    },
    get environment() {
      return open.environment ?? expect.unreachable();
    },
    get server() {
      return open.servers[0] ?? expect.unreachable();
    },
    get shortTimeoutServer() {
      return open.servers[1] ?? expect.unreachable();
    },
    fresh() {
      serial += 1;
      return {
        id: `own-${serial}`,
        all: kit.customer(serial),
        few: kit.minimal(`Noether Rings ${serial}`, `emmy.${serial}@noether.example`),
      };
    },
    async call(tool, args = {}, connection = scene.server) {
      const answer = await connection.call(tool, { ...args });
      const error = errorOf(answer);
      expect(answer.text).toBe(error ? textOfError(error) : JSON.stringify(answer.data));
      expect(answer.isError).toBe(error !== undefined);
      expectNoSecret(JSON.stringify(answer.data));
      expect(answer.text).not.toMatch(INVISIBLE);
      return answer;
    },
    async create(fields, externalId) {
      const own = externalId === undefined ? {} : { [kit.externalIdField]: externalId };
      return idOf(await scene.call('create_customer', { ...fields, ...own }));
    },
    stored: (id) => scene.standIn.customers.get(id) ?? expect.unreachable(`the provider has no customer ${id}`),
    sent: () => scene.standIn.requests.filter(({ operation }) => operation !== 'token'),
    operations: () => scene.sent().map(({ operation }) => operation),
    recover() {
      const customers = [...scene.standIn.customers];
      scene.standIn.reset();
      for (const [id, document] of customers) scene.standIn.customers.set(id, document);
    },
    forgetRequests() {
      scene.standIn.requests.length = 0;
    },
  };
  return scene;
}

/** A server of its own for each test of the suite: what a server has read it knows for a minute. */
export function openServer(scene: Scene): () => Connection {
  let server: Connection | undefined;
  beforeEach(async () => {
    server = await connect({ ...scene.environment, CUSTOMERS_CONFIRM: 'never' });
  });
  afterEach(() => server?.close());
  return () => server ?? expect.unreachable();
}

/** Puts customers into the provider's own list, as another program would: `Handelshuis 1` with `Info@Huis-1.example`, and so on. */
export async function seed(scene: Scene, kit: ProviderKit, count: number): Promise<void> {
  const template = scene.stored(await scene.create(kit.minimal('Template', 'template@seed.example')));
  for (let n = 1; n <= count; n += 1) {
    const id = randomUUID();
    const own = { [kit.nameField.stored]: `Handelshuis ${n}`, email: `Info@Huis-${n}.example` };
    scene.standIn.customers.set(id, { ...template, ...own, id });
  }
}

/** The error of an answer, which must be of this kind. */
function textOfError({ kind, message, ...details }: Fields): string {
  const named = ['candidates', 'fields', 'confirm', 'retry_after_s', 'external_id'].some((name) => name in details);
  return `${String(kind)}: ${String(message)}${named ? `\n${JSON.stringify(details)}` : ''}`;
}

export function refusalIn(
  answer: ToolResult,
  kind: string,
): { readonly message: string; readonly fields: readonly Record<string, unknown>[]; readonly error: Fields } {
  const error = errorOf(answer) ?? {};
  expect(error.kind, answer.text).toBe(kind);
  const fields = Array.isArray(error.fields) ? error.fields.filter(isRecord) : [];
  return { message: String(error.message), fields, error };
}

/** The customers of a search. */
export function rowsOf(data: Fields): readonly Record<string, unknown>[] {
  return Array.isArray(data.customers) ? data.customers.filter(isRecord) : [];
}
