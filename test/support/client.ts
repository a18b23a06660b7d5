import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema, type ElicitResult } from '@modelcontextprotocol/sdk/types.js';
import { isRecord } from '../../src/text.ts';
import { startDayZero, DAYZERO_BUSINESS_ID, DAYZERO_TOKEN } from './stand-ins/dayzero.ts';
import { LAYER_BUSINESS_ID, LAYER_CLIENT_ID, LAYER_CLIENT_SECRET, startLayer } from './stand-ins/layer.ts';
import { NOTIFY_API_KEY, startNotify } from './stand-ins/notify.ts';

export const BUILT = new URL('../../dist/main.js', import.meta.url).pathname;

export type Environment = Readonly<Record<string, string>>;

export interface ToolResult {
  readonly isError: boolean;
  /** `structuredContent`, typed loosely: tests say what they expect of it. */
  readonly data: Record<string, unknown>;
  readonly text: string;
}

/** A real client, talking over stdio to the built server. */
export interface Connection {
  readonly client: Client;
  readonly pid: number;
  /** All that the server wrote on stderr so far. */
  stderr(): string;
  call(tool: string, args?: Record<string, unknown>): Promise<ToolResult>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** What the person answers when asked. Without it the client cannot ask. */
  readonly onElicit?: (message: string) => ElicitResult;
  /** What is launched in place of the built server. */
  readonly program?: { readonly command: string; readonly args: readonly string[] };
  /** The extensions of the protocol that the client announces. */
  readonly extensions?: Readonly<Record<string, object>>;
}

/** Launches the built server as an MCP client does, with these variables and no others that concern it. */
export async function connect(environment: Environment, options: ConnectOptions = {}): Promise<Connection> {
  const { onElicit, extensions, program = { command: process.execPath, args: [BUILT] } } = options;
  const capabilities = { ...(onElicit && { elicitation: {} }), ...(extensions && { extensions }) };
  const client = new Client({ name: 'test', version: '1' }, { capabilities });
  if (onElicit) client.setRequestHandler(ElicitRequestSchema, ({ params }) => onElicit(params.message));
  const transport = new StdioClientTransport({
    command: program.command,
    args: [...program.args],
    env: { PATH: process.env['PATH'] ?? '', CUSTOMERS_STORE: 'memory:', ...environment },
    stderr: 'pipe',
  });
  let errors = '';
  transport.stderr?.on('data', (chunk) => (errors += String(chunk)));
  await client.connect(transport);
  // The client checks answers against the output schemas only once it has seen them.
  await client.listTools();
  return {
    client,
    pid: transport.pid ?? 0,
    stderr: () => errors,
    async call(name, args = {}) {
      const result = await client.callTool({ name, arguments: args });
      const [block] = Array.isArray(result.content) ? result.content : [];
      return {
        isError: result.isError === true,
        data: isRecord(result.structuredContent) ? result.structuredContent : {},
        text: isRecord(block) ? String(block['text']) : '',
      };
    },
    close: () => client.close(),
  };
}

/** The error in an answer, or `undefined`. */
export function errorOf({ data }: ToolResult): Record<string, unknown> | undefined {
  return isRecord(data['error']) ? data['error'] : undefined;
}

/** The path of a SQLite store in a folder of its own, and its removal. */
export function temporaryStore(): { readonly store: string; readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-'));
  return {
    store: `sqlite:${join(folder, 'customers.sqlite')}`,
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Each provider's stand-in with the settings that lead the server to it. */
export const standIns = {
  async layer(options: Parameters<typeof startLayer>[0] = {}) {
    const standIn = await startLayer(options);
    const environment: Environment = {
      CUSTOMERS_PROVIDER: 'layer',
      LAYER_BASE_URL: standIn.origin,
      LAYER_TOKEN_URL: `${standIn.origin}/oauth2/token`,
      LAYER_CLIENT_ID,
      LAYER_CLIENT_SECRET,
      LAYER_BUSINESS_ID,
    };
    return { standIn, environment };
  },
  async dayzero(options: Parameters<typeof startDayZero>[0] = {}) {
    const standIn = await startDayZero(options);
    const environment: Environment = {
      CUSTOMERS_PROVIDER: 'dayzero',
      DAYZERO_BASE_URL: standIn.origin,
      DAYZERO_API_TOKEN: DAYZERO_TOKEN,
      DAYZERO_BUSINESS_ID,
    };
    return { standIn, environment };
  },
  async notify(options: Parameters<typeof startNotify>[0] = {}) {
    const standIn = await startNotify(options);
    const environment: Environment = { CUSTOMERS_PROVIDER: 'notify', NOTIFY_BASE_URL: standIn.origin, NOTIFY_API_KEY };
    return { standIn, environment };
  },
};
