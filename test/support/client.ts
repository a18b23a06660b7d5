import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema, type ElicitResult } from '@modelcontextprotocol/sdk/types.js';
import { isRecord } from '../../src/text.ts';
import { watched } from './schema.ts';

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
  /** Everything that the server wrote on stderr so far. */
  stderr(): string;
  call(tool: string, args?: Record<string, unknown>): Promise<ToolResult>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** What the user answers a question of the server with. Without it the client cannot ask. */
  readonly onElicit?: (message: string) => ElicitResult;
  /**
   * What the host sends back to a question of the server, as it is: `{ result }` or `{ error }`, whatever is in it; `undefined`: it
   * stays silent.
   */
  readonly onQuestion?: (params: Record<string, unknown>) => object | undefined | Promise<object | undefined>;
  /** The capability that the client announces besides `onElicit` and `onQuestion`. */
  readonly elicitation?: { readonly form?: Record<string, unknown>; readonly url?: object };
  /** What is launched in place of the built server. */
  readonly program?: { readonly command: string; readonly args: readonly string[] };
  /** The extensions of the protocol that the client announces. */
  readonly extensions?: Readonly<Record<string, object>>;
}

/** Launches the built server as an MCP client does, with these variables and no others that concern it. */
export async function connect(environment: Environment, options: ConnectOptions = {}): Promise<Connection> {
  const { onElicit, onQuestion, extensions, program = { command: process.execPath, args: [BUILT] } } = options;
  const { elicitation = onElicit || onQuestion ? {} : undefined } = options;
  const capabilities = { ...(elicitation && { elicitation }), ...(extensions && { extensions }) };
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
  const { watch } = watched(transport);
  await client.connect(transport);
  watch();
  if (onQuestion) answerRaw(transport, onQuestion);
  // The client checks answers against the output schemas only once it has seen them.
  await client.listTools();
  return {
    client,
    pid: transport.pid ?? 0,
    stderr: () => errors,
    async call(name, args = {}) {
      return toolResult(await client.callTool({ name, arguments: args }));
    },
    close: () => client.close(),
  };
}

/** An answer of a tool as the client has it. */
export function toolResult(result: Awaited<ReturnType<Client['callTool']>>): ToolResult {
  const [block] = Array.isArray(result.content) ? result.content : [];
  return {
    isError: result.isError === true,
    data: isRecord(result.structuredContent) ? result.structuredContent : {},
    text: isRecord(block) ? String(block['text']) : '',
  };
}

/** Answers questions beside the client, which would send back nothing that the protocol does not know. */
function answerRaw(transport: StdioClientTransport, onQuestion: NonNullable<ConnectOptions['onQuestion']>): void {
  const { onmessage: deliver } = transport;
  transport.onmessage = (message) => {
    if (!('method' in message) || !('id' in message) || message.method !== 'elicitation/create')
      return deliver?.(message);
    const answer = async (): Promise<void> => {
      const reply = await onQuestion(message.params ?? {});
      // Through text, because no type fits what some hosts answer.
      if (reply) await transport.send(JSON.parse(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...reply })));
    };
    void answer();
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
