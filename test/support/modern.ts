import { isRecord } from '../../src/text.ts';
import type { Environment, ToolResult } from './client.ts';
import { bearer, post, serve, TOKEN } from './http.ts';
import { bareServer } from './process.ts';

export const MODERN = '2026-07-28';
export const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
export const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';
/** The capabilities of a client that can show a form. */
export const FORMS = { elicitation: { form: {} } };

type Json = Record<string, unknown>;

/** A client of protocol revision 2026-07-28, which sends what it is told to and repeats nothing by itself. */
export interface ModernClient {
  readonly transport: 'stdio' | 'HTTP';
  /** The JSON-RPC response to a request with these capabilities. */
  request(method: string, params?: Json, capabilities?: Json): Promise<Json>;
  /** The result of a tool, with further parameters of the call; the error of the protocol in its place. */
  call(tool: string, args: Json, more?: Json, capabilities?: Json): Promise<Json>;
  stderr(): string;
  close(): Promise<unknown>;
}

/** The parameters of a request, with what each request of this revision states. */
export function stated(params: Json = {}, capabilities: Json = {}, version: unknown = MODERN): Json {
  const meta = isRecord(params['_meta']) ? params['_meta'] : {};
  return { ...params, _meta: { ...meta, [VERSION_KEY]: version, [CAPABILITIES_KEY]: capabilities } };
}

/** The headers that repeat a request's version, method and name. */
export function headersFor(method: string, params: Json = {}): Record<string, string> {
  const name = method === 'resources/read' ? params['uri'] : params['name'];
  return {
    'mcp-protocol-version': MODERN,
    'mcp-method': method,
    ...(typeof name === 'string' && { 'mcp-name': name }),
  };
}

export async function modernOverStdio(environment: Environment): Promise<ModernClient> {
  const server = bareServer({ CUSTOMERS_STORE: 'memory:', ...environment });
  return clientOf('stdio', {
    send: (method, params) => server.request(method, params),
    stderr: () => server.stderr(),
    close() {
      server.child.stdin.end();
      return server.ended;
    },
  });
}

async function modernOverHttp(environment: Environment): Promise<ModernClient> {
  const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN, CUSTOMERS_STORE: 'memory:', ...environment });
  let lastId = 0;
  return clientOf('HTTP', {
    async send(method, params) {
      lastId += 1;
      const body = { jsonrpc: '2.0', id: lastId, method, params };
      const headers = { ...bearer(TOKEN), ...headersFor(method, params) };
      return (await post(server, body, { headers })).json;
    },
    stderr: () => server.stderr(),
    close: () => server.stop(),
  });
}

/** Both transports, for tests of what is the same over each. */
export const overEach: readonly (readonly [string, (environment: Environment) => Promise<ModernClient>])[] = [
  ['stdio', modernOverStdio],
  ['HTTP', modernOverHttp],
];

interface Link {
  send(method: string, params: Json): Promise<Json>;
  stderr(): string;
  close(): Promise<unknown>;
}

function clientOf(transport: ModernClient['transport'], { send, stderr, close }: Link): ModernClient {
  const client: ModernClient = {
    transport,
    request: (method, params, capabilities) => send(method, stated(params, capabilities)),
    async call(tool, args, more = {}, capabilities = FORMS) {
      const { result, error } = await client.request(
        'tools/call',
        { name: tool, arguments: args, ...more },
        capabilities,
      );
      return isRecord(result) ? result : { error };
    },
    stderr,
    close,
  };
  return client;
}

/** The answer of a tool in a result, as tests of both eras have it. */
export function answerIn({ isError, structuredContent, content }: Json): ToolResult {
  const [block] = Array.isArray(content) ? content : [];
  return {
    isError: isError === true,
    data: isRecord(structuredContent) ? structuredContent : {},
    text: isRecord(block) ? String(block['text']) : '',
  };
}

/** Calls a tool without the capability to ask the user. */
export async function plainCall(client: ModernClient, tool: string, args: Json = {}): Promise<ToolResult> {
  return answerIn(await client.call(tool, args, {}, {}));
}

/** The question in a result that requires input, and the state to send back. */
export function questionIn({ inputRequests, requestState }: Json): {
  readonly key: string;
  readonly message: string;
  readonly state: string;
} {
  const [[key, request] = ['', undefined]] = isRecord(inputRequests) ? Object.entries(inputRequests) : [];
  const params = isRecord(request) && isRecord(request['params']) ? request['params'] : {};
  return { key, message: String(params['message']), state: String(requestState) };
}
