// A client goes through the script, against a server of its own; the result is its row.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { isRecord } from '../../src/text.ts';
import { BUILT } from '../support/client.ts';
import { serve, TOKEN } from '../support/http.ts';
import { parsed, SANDBOX } from '../support/process.ts';
import type { Host, Target } from './hosts.ts';
import { startModel } from './model.ts';
import { created, explained, failed, imported, isDeleted, listed, STEPS, type Cells } from './script.ts';
import { endOf, hadProgress, readTap, revision, startRelay, wasAsked, type Wire } from './wire.ts';

export const HERE = fileURLToPath(new URL('.', import.meta.url));
export const TRANSPORTS = ['stdio', 'HTTP'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** DayZero, because it deletes for good: a deletion needs consent. */
const ENVIRONMENT = { ...SANDBOX, CUSTOMERS_PROVIDER: 'dayzero' };
const PATIENCE_MS = 60_000;
/** An address at which no model answers, for what needs none. */
export const NO_MODEL = 'http://127.0.0.1:9';

/** A client that programs use, with the `client.js` of its folder. */
export interface Library {
  readonly name: string;
  readonly folder: string;
  readonly package: string;
  readonly variant?: string;
}

export interface Row {
  readonly name: string;
  readonly version: string;
  readonly transport: string;
  readonly revision: string;
  readonly cells: Cells;
}

const V2 = { folder: 'sdk2', package: '@modelcontextprotocol/client' };

export const libraries: readonly Library[] = [
  { name: 'TypeScript SDK 1', folder: 'sdk1', package: '@modelcontextprotocol/sdk' },
  { name: 'TypeScript SDK 2', ...V2, variant: 'legacy' },
  { name: 'TypeScript SDK 2, mode `auto`', ...V2, variant: 'auto' },
  { name: 'AI SDK', folder: 'ai-sdk', package: '@ai-sdk/mcp' },
  { name: 'LangChain', folder: 'langchain', package: '@langchain/mcp-adapters' },
  { name: 'Mastra', folder: 'mastra', package: '@mastra/mcp' },
  { name: 'OpenAI Agents', folder: 'openai-agents', package: '@openai/agents' },
];

/** A client on stdio that passes everything on over HTTP. */
export const bridge = { name: 'mcp-remote', folder: 'mcp-remote', package: 'mcp-remote' };

/** How a client reaches its server, and what is known of it afterwards. */
interface Place {
  readonly target: Target;
  readonly home: string;
  wire(): Wire;
}

export async function libraryRow({ name, folder, package: of, variant }: Library, transport: Transport): Promise<Row> {
  return inPlace(transport, async (place) => {
    const cells = await story(folder, { ...place.target, variant }, place);
    return { name, version: versionOf(folder, of), transport, revision: revision(place.wire()), cells };
  });
}

export async function bridgeRow(): Promise<Row> {
  return inPlace('HTTP', async (place) => {
    const { url = '', headers = {} } = place.target;
    const program = join(HERE, bridge.folder, 'node_modules/mcp-remote/dist/proxy.js');
    const command = [program, url, '--allow-http', '--header', `Authorization: ${headers['Authorization']}`];
    const target = { stdio: { ...tapped(place.home, command), env: { ...inherited(place.home) } } };
    const cells = await story('sdk1', target, place);
    const version = versionOf(bridge.folder, bridge.package);
    return { name: bridge.name, version, transport: 'stdio to HTTP', revision: revision(place.wire()), cells };
  });
}

export async function hostRow(host: Host, transport: Transport): Promise<Row> {
  const { name, folder, list, prompt } = host;
  const row = { name, version: versionOf(folder, host.package), transport };
  if (!existsSync(programOf(host))) return { ...row, revision: '', cells: { connect: 'not tried on this machine' } };
  return inPlace(transport, async (place) => {
    const model = await startModel();
    host.configure(place.home, place.target, model.origin);
    const environment = host.environment(model.origin);
    const status = list && (await output(programOf(host), list.args, place.home, environment));
    const text = await output(programOf(host), prompt, place.home, environment);
    model.close();
    const [call = text, mistake = text, ...later] = model.results();
    const offered = model.tools().map((tool) => tool.replace(/^.*?(?=[a-z]+_customers?$)/, ''));
    const isConnected = status === undefined ? offered.length > 0 : list?.connected.test(status) === true;
    const wire = place.wire();
    const cells: Cells = {
      connect: isConnected ? 'yes' : failed(status ?? text),
      list: listed(offered),
      call: created(call),
      error: explained(mistake),
      consent: consentOf(later, wire),
      import: imported(later.at(-1) ?? text, hadProgress(wire)),
      close: transport === 'stdio' ? await endOf(tapFile(place.home)) : 'yes',
    };
    return { ...row, revision: revision(wire), cells };
  });
}

/** What a client says that has these headers in place of the right ones. */
export async function libraryRefusal({ folder, variant }: Library, headers: Target['headers'] = {}): Promise<string> {
  return inPlace('HTTP', async (place) => {
    const { connect = '' } = await story(folder, { url: place.target.url, headers, variant }, place);
    return connect;
  });
}

export async function hostRefusal(host: Host, headers: Target['headers'] = {}): Promise<string> {
  return inPlace('HTTP', async ({ home, target: { url = '' } }) => {
    host.configure(home, { url, headers }, NO_MODEL);
    const text = await output(programOf(host), host.list?.args ?? [], home, host.environment(NO_MODEL));
    return text.split('\n').find((line) => line.includes('customers')) ?? '';
  });
}

export async function inPlace<T>(transport: Transport, run: (place: Place) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'customers-mcp-client-'));
  try {
    if (transport === 'stdio') {
      const stdio = { ...tapped(home, [BUILT]), env: { ...inherited(home), ...ENVIRONMENT } };
      return await run({ target: { stdio }, home, wire: () => readTap(tapFile(home)) });
    }
    const server = await serve({ ...ENVIRONMENT, CUSTOMERS_HTTP_TOKEN: TOKEN });
    const relay = await startRelay(server.urls[0] ?? '');
    try {
      const target = { url: relay.url, headers: { Authorization: `Bearer ${TOKEN}` } };
      return await run({ target, home, wire: relay.wire });
    } finally {
      relay.close();
      await server.stop();
    }
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  }
}

function tapFile(home: string): string {
  return join(home, 'tap.jsonl');
}

/** The command that runs a script of Node with tap.ts before it. */
function tapped(home: string, command: readonly string[]): { command: string; args: string[] } {
  const tap = [join(HERE, 'tap.ts'), tapFile(home)];
  return { command: process.execPath, args: [...tap, process.execPath, ...command] };
}

function inherited(home: string): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: home };
}

/** Runs the script in a process of its own, with a library. */
async function story(folder: string, target: object, { home }: Place): Promise<Cells> {
  const tap = 'stdio' in target ? tapFile(home) : undefined;
  const text = await output(
    process.execPath,
    [join(HERE, 'story.ts'), folder, JSON.stringify({ ...target, tap })],
    home,
  );
  const said = parsed(text.trim().split('\n').at(-1) ?? '');
  if (!isRecord(said)) return { connect: failed(text) };
  return Object.fromEntries(STEPS.flatMap((step) => (typeof said[step] === 'string' ? [[step, said[step]]] : [])));
}

/** What became of a deletion without a person who could agree to it. */
function consentOf([first = '', second = '']: readonly string[], wire: Wire): string {
  if (isDeleted(first)) return failed('deleted although no user agreed');
  if (wasAsked(wire)) return first.includes('confirmation_required') ? 'asks the user' : failed(first);
  return isDeleted(second) ? 'two steps' : failed(`${first} ${second}`);
}

/** Everything that a program prints until it ends. */
export async function output(program: string, args: readonly string[], home: string, more = {}): Promise<string> {
  const env = { ...inherited(home), ...more };
  const child = spawn(program, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: PATIENCE_MS });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  await new Promise((resolve) => child.once('close', resolve));
  return stripVTControlCharacters(text);
}

export function programOf({ folder, package: of, program }: Host): string {
  return join(HERE, folder, 'node_modules', of, program);
}

/** The version in the lock file; some packages name their platform in it. */
function versionOf(folder: string, name: string): string {
  const root = folder === 'sdk1' ? join(HERE, '../..') : join(HERE, folder);
  const lock = parsed(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const packages = isRecord(lock) && isRecord(lock['packages']) ? lock['packages'] : {};
  const found = packages[`node_modules/${name}`];
  return (isRecord(found) ? String(found['version']) : '').replace(/-linux.*/, '');
}
