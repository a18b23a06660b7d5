import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { openHttp } from './http-session.ts';
import { generate, installedSize, installOurs, installPeer, PEERS, type Size } from './install.ts';
import type { Fields, Launch, Session, ToolCall } from './session.ts';
import { openStdio } from './stdio-session.ts';

/** The size of a program without packages of its own. */
const NOTHING: Size = { mb: 0, packages: 0 };

/** A server under measurement. */
export interface Contender {
  /** Its name for --only. */
  readonly key: string;
  readonly name: string;
  readonly transport: 'stdio' | 'http';
  readonly ours: boolean;
  readonly size: Size;
  /** Launches it anew. `nodeArgs` are for Node itself. */
  open(
    nodeArgs?: readonly string[],
    environment?: Readonly<Record<string, string>>,
    first?: Launch['first'],
  ): Promise<Session>;
  get(n: number): ToolCall;
  create(n: number): ToolCall;
}

/** A contender, or why it cannot take part. */
export type Entry = Contender | { readonly key: string; readonly name: string; readonly problem: string };

const BUSINESS_ID = 'bench-business';
const TOKEN = 'bench-token';
const HTTP_TOKEN = 'bench-http-token-of-at-least-thirty-two-characters';

/** Keeps the customers of a run apart from those of earlier ones in the same store. */
const RUN = randomUUID();

/** A customer that is like no other: our server would ask about one that is. */
const documentOf = (n: number): Fields => {
  const name = wordOf(n);
  return {
    external_id: `crm-${RUN}-${n}`,
    company_name: name,
    email: `ada@${name}.example`,
    address_string: '1 Main Street, Springfield, IL 62701',
  };
};

/** Fourteen letters that differ in about all places from those of other numbers. */
function wordOf(n: number): string {
  return createHash('sha256')
    .update(`${RUN} ${n}`)
    .digest('hex')
    .slice(0, 14)
    .replace(/\d/g, (digit) => 'ghijklmnop'.charAt(Number(digit)));
}

/** The calls of our tools, and of those written by hand after them. */
const calls = {
  get: (n: number): ToolCall => ({ name: 'get_customer', arguments: { customer_id: `customer-${n}` } }),
  create: (n: number): ToolCall => ({ name: 'create_customer', arguments: documentOf(n) }),
};

/** The calls of tools from an OpenAPI document: the business is an argument too, and one names the body, the other does not. */
function generatedCalls(get: string, create: string): typeof calls {
  return {
    get: (n) => ({ name: get, arguments: { businessId: BUSINESS_ID, customerId: `customer-${n}` } }),
    create: (n) => ({ name: create, arguments: { businessId: BUSINESS_ID, ...bodyOf(n) } }),
  };
  function bodyOf(n: number): Fields {
    return create === 'create_customer' ? { requestBody: documentOf(n) } : documentOf(n);
  }
}

/** Installs everybody and says how each is launched. `wanted` are keys; without them all. */
export async function contenders(
  scratch: string,
  upstream: string,
  wanted: readonly string[] | undefined,
  report: (line: string) => void,
): Promise<Entry[]> {
  const layer = {
    CUSTOMERS_PROVIDER: 'layer',
    LAYER_BASE_URL: upstream,
    LAYER_BUSINESS_ID: BUSINESS_ID,
    LAYER_ACCESS_TOKEN: TOKEN,
  };
  const ours = {
    folder: () => installOurs(scratch),
    program: 'node_modules/customers-mcp/dist/main.js',
    // Its own compile cache, in a folder that goes away with the bench: where users have it, it is in the system's.
    environment: { ...layer, NODE_COMPILE_CACHE: join(scratch, 'compile-cache') },
  };
  const sdk = { folder: () => installPeer('sdk'), environment: layer, ...calls };
  // It needs no more than undici, which is installed with this project.
  const floor = { folder: async () => join(PEERS, 'floor'), environment: layer, ...calls };
  const plans: readonly Plan[] = [
    { key: 'ours', name: 'customers-mcp', ours: true, ...ours, ...calls },
    { key: 'floor', name: 'plain Node', program: 'stdio.js', ...floor },
    { key: 'sdk', name: 'bare SDK', program: 'stdio.js', ...sdk },
    {
      key: 'ours-http',
      name: 'customers-mcp',
      ours: true,
      ...ours,
      ...calls,
      environment: { ...ours.environment, CUSTOMERS_HTTP_TOKEN: HTTP_TOKEN },
      http: { path: '/mcp', args: (port) => ['http', '--port', port] },
    },
    {
      key: 'floor-http',
      name: 'plain Node',
      program: 'http.js',
      ...floor,
      http: { path: '/', args: (port) => [port] },
    },
    { key: 'sdk-http', name: 'bare SDK', program: 'http.js', ...sdk, http: { path: '/mcp', args: (port) => [port] } },
    {
      key: 'fastmcp',
      name: 'fastmcp',
      folder: () => installPeer('fastmcp'),
      program: 'stdio.js',
      environment: layer,
      ...calls,
    },
    {
      key: 'ivotoby',
      name: '@ivotoby/openapi-mcp-server',
      folder: () => installPeer('openapi-mcp-server'),
      program: 'node_modules/@ivotoby/openapi-mcp-server/bin/mcp-server.js',
      environment: {
        API_BASE_URL: upstream,
        OPENAPI_SPEC_PATH: join(PEERS, 'openapi.json'),
        API_HEADERS: `Authorization:Bearer ${TOKEN}`,
      },
      ...generatedCalls('get-customer', 'crt-customer'),
    },
    {
      key: 'generator',
      name: 'openapi-mcp-generator',
      folder: async () => {
        const folder = await installPeer('openapi-mcp-generator');
        await generate(folder);
        return folder;
      },
      program: 'dist/server.js',
      environment: { API_BASE_URL: upstream },
      ...generatedCalls('get_customer', 'create_customer'),
    },
  ];
  const entries: Entry[] = [];
  const folders = new Map<string, Promise<string>>();
  for (const plan of plans.filter(({ key }) => wanted?.includes(key) ?? true)) {
    report(`installing ${plan.name}`);
    try {
      const folder = folders.get(plan.name) ?? plan.folder();
      folders.set(plan.name, folder);
      entries.push(contender(plan, await folder, scratch));
    } catch (error) {
      entries.push({ key: plan.key, name: plan.name, problem: `not installed: ${reasonOf(error)}` });
    }
  }
  return entries;
}

interface Plan extends Pick<Contender, 'key' | 'name' | 'get' | 'create'> {
  readonly ours?: boolean;
  folder(): Promise<string>;
  /** Below the folder. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly http?: { readonly path: string; args(port: string): readonly string[] };
}

function contender(
  { key, name, ours = false, get, create, http, ...plan }: Plan,
  folder: string,
  scratch: string,
): Contender {
  const program = join(folder, plan.program);
  return {
    key,
    name,
    ours,
    get,
    create,
    transport: http ? 'http' : 'stdio',
    size: existsSync(join(folder, 'node_modules')) ? installedSize(folder) : NOTHING,
    async open(nodeArgs = [], environment = {}, first = undefined) {
      // Each launch has a store of its own.
      const store = `sqlite:${join(mkdtempSync(join(scratch, 'store-')), 'customers.sqlite')}`;
      const launch = {
        args: [...nodeArgs, program],
        environment: { HOME: scratch, CUSTOMERS_STORE: store, ...plan.environment, ...environment },
        first,
      };
      if (!http) return openStdio(launch);
      const port = await freePort();
      return openHttp({
        ...launch,
        args: [...launch.args, ...http.args(port)],
        http: { url: `http://127.0.0.1:${port}${http.path}`, headers: { authorization: `Bearer ${HTTP_TOKEN}` } },
      });
    },
  };
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return String(typeof address === 'object' && address?.port);
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
