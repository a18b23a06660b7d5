import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { BUILT, connect, type Environment } from './support/client.ts';
import { blocksOf, lines, pages, ROOT, type Line } from './support/documents.ts';
import { post, serve, structuredIn, toolCall } from './support/http.ts';
import { parsed, SANDBOX } from './support/process.ts';
import { ofHttp, ofMachine, ofStdio } from './support/settings.ts';
import { serveTenants, tenantFile } from './support/tenants.ts';

const VARIABLES = [...ofStdio, ...ofHttp, ...ofMachine].toSorted();
const run = promisify(execFile);

/** Why a command is not run here. What can be checked without running it is checked below. */
const NOT_RUN: readonly { readonly command: RegExp; readonly why: string }[] = [
  {
    command: /^npm (ci|cit)\b/,
    why: 'Replaces the packages and the build with which this suite runs; .ci/run begins with it.',
  },
  {
    command: /^npm run (build|bundle|format|settings|coverage)$/,
    why: 'Writes files that other tests read at the same time.',
  },
  { command: /^npm run (check|demo|conformance|clients)$/, why: 'Takes minutes; .ci/run runs it.' },
  {
    command: /^npm run (bench|find|flood|instructions|soak|soak:tenants|stores)\b/,
    why: 'Downloads other servers, or takes minutes to half an hour.',
  },
  { command: /^bash \.ci\/run/, why: 'Runs this suite.' },
  { command: /^(\w+=\S+ )*npx vitest run /, why: 'Runs a part of this suite.' },
  { command: /^npx node$/, why: 'Is no command by itself: it stands for `node`.' },
  {
    command: /^npx @modelcontextprotocol\/inspector /,
    why: 'Downloads the Inspector; `npm run conformance` does that.',
  },
  { command: /^claude mcp add /, why: 'Needs the client. What the client would launch is launched.' },
  {
    command: /^(customers-mcp (import|http|call)|node dist\/main\.js)$/,
    why: 'Names the command; the pages show it with its arguments elsewhere.',
  },
];

const those = (pattern: RegExp): readonly Line[] => lines.filter(({ line }) => pattern.test(line));
/** Commands of the server that end by themselves. */
const ending = those(/^(node dist\/main\.js|customers-mcp) (?!http(?! --new-token)|(import|call)$|import )/);
const serving = those(/^node (--import \S+ )?dist\/main\.js http(?! --new-token)/);
/** The page of the import has a test of its own, which compares what it shows with what is printed. */
const imports = those(/^customers-mcp import \S+\.csv/);
const shell = those(/^(export |openssl )/);
const simulations = those(/^npm run simulate/);
const notRun = lines.filter(({ line }) => NOT_RUN.some(({ command }) => command.test(line)));

describe('a command of the documents', () => {
  const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-docs-'));
  const environment = {
    PATH: process.env['PATH'] ?? '',
    ...SANDBOX,
    CUSTOMERS_STORE: `sqlite:${join(folder, 'store.sqlite')}`,
  };
  for (const { text } of pages)
    for (const [, name = '', csv = ''] of text.matchAll(/`([\w-]+\.csv)`:\n\n```csv\n(.*?)^```$/gms))
      writeFileSync(join(folder, name), csv);
  writeFileSync(join(folder, 'telemetry.js'), `import ${JSON.stringify(join(ROOT, 'test/support/otel.ts'))};`);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is run, or there is a reason why not', () => {
    const known = [ending, serving, imports, shell, simulations, notRun].flat();
    expect(lines.filter((line) => !known.includes(line))).toEqual([]);
    expect(NOT_RUN.filter(({ command }) => !lines.some(({ line }) => command.test(line)))).toEqual([]);
  });

  it.each(ending)('$line succeeds ($file)', async ({ line }) => {
    const command = line.replace(/^(node dist\/main\.js|customers-mcp)/, `"${process.execPath}" "${BUILT}"`);
    expect((await run('/bin/sh', ['-c', command], { cwd: folder, env: environment })).stdout).not.toBe('');
  });

  it.each(shell)('$line succeeds ($file)', async ({ line }) => {
    const { stdout } = await run('/bin/sh', ['-ec', `${line}\nenv`], { env: { PATH: environment.PATH } });
    expect(stdout).not.toBe('');
  });

  it.each(serving)('$line serves ($file)', async ({ line, exports }) => {
    // The ports of the page may be in use on this machine; all other arguments stay.
    const [, sdk, args = ''] = /^node (?:--import \.\/(\S+) )?dist\/main\.js http(.*?)( &)?$/.exec(line) ?? [];
    const given = args
      .replace(/ --port \d+/, '')
      .split(' ')
      .filter(Boolean);
    const spans = join(folder, 'spans.jsonl');
    const server = await serve(
      {
        ...SANDBOX,
        ...(await exportedBy(exports)),
        ...(sdk !== undefined && { NODE_OPTIONS: `--import=${join(folder, sdk)}`, OTEL_FILE: spans }),
      },
      given,
    );
    onTestFinished(() => server.kill());
    expect(server.urls).toHaveLength(1);
    const answer = await post(server, toolCall('search_customer'), { path: new URL(server.urls[0] ?? '').pathname });
    expect(structuredIn(answer)).toHaveProperty('customers');
    await server.stop();
    if (sdk !== undefined) expect(existsSync(spans), 'the SDK wrote nothing').toBe(true);
  });

  it.each(simulations)(
    '$line succeeds, here with few seeds ($file)',
    async ({ line }) => {
      const few = line.replace(/--seeds \d+/, '--seeds 10');
      const command = few === 'npm run simulate' ? `${few} -- --seeds 10` : few;
      expect((await run('/bin/sh', ['-c', command], { cwd: ROOT })).stdout).toContain('acknowledged');
    },
    60_000,
  );

  it.each(those(/npm run /))('$line is a script that exists, with options that it knows ($file)', ({ line }) => {
    for (const [, name = '', args = ''] of line.matchAll(/npm run (?:--silent )?([\w:-]+)(?: -- ([^&]*))?/g)) {
      expect(packageJson.scripts).toHaveProperty([name]);
      const file =
        Object.entries(packageJson.scripts)
          .find(([script]) => script === name)?.[1]
          .split(' ')
          .at(-1) ?? '';
      for (const [, option = ''] of args.matchAll(/--([\w-]+)/g))
        expect(readFileSync(join(ROOT, file), 'utf8')).toMatch(new RegExp(`\\b${option}: \\{`));
    }
  });

  it.each(those(/npx vitest run /))('$line names tests that exist ($file)', ({ line }) => {
    for (const path of line.split(' vitest run ')[1]?.split(' ') ?? [])
      expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  it.each(those(/^(claude mcp add|npx @modelcontextprotocol\/inspector) /))(
    '$line launches a server, with variables that it reads ($file)',
    async ({ line }) => {
      const named = [...line.matchAll(/-e (\w+)=|\$(\w+)/g)].map(([, set, used]) => set ?? used ?? '');
      expect(named.filter((name) => !VARIABLES.includes(name))).toEqual([]);
      const [, path, args = ''] = /node (\S*dist\/main\.js)(.*)$/.exec(line) ?? [];
      if (path === undefined) return;
      const given = [...line.matchAll(/-e (\w+)=(\S+)/g)].map(([, name, value]) => [name, value]);
      const [, method, tool] = /--method (\S+)(?: --tool-name (\S+))?/.exec(args) ?? [];
      await launches({ ...(given.length === 0 && SANDBOX), ...Object.fromEntries(given) }, tool);
      expect([undefined, 'tools/list', 'tools/call']).toContain(method);
    },
  );
});

describe('a JSON block of the documents', () => {
  /** A client configuration, in the formats that clients read. */
  const Launched = z.strictObject({
    type: z.literal('stdio').optional(),
    command: z.string(),
    args: z.array(z.string()),
    env: z.partialRecord(z.enum(VARIABLES), z.string()).optional(),
  });
  const Reached = z.strictObject({
    type: z.literal('http').optional(),
    url: z.url(),
    headers: z.record(z.string(), z.string()).optional(),
  });
  const Entries = z.record(z.string(), z.union([Launched, Reached]));
  const ClientSettings = z.union([
    z.strictObject({ mcpServers: Entries }),
    z.strictObject({ servers: Entries, inputs: z.array(z.unknown()).optional() }),
  ]);
  const all = pages.flatMap(({ file, text }) => blocksOf(text, 'json').map((block) => ({ file, block })));
  const [tenants, blocks] = [true, false].map((wanted) =>
    all.filter(({ file }) => file.endsWith('tenants.md') === wanted),
  );

  it('is there for the clients, over stdio and over HTTP', () => {
    const files = all.filter(({ block }) => /"(mcpServers|servers)"/.test(block)).map(({ file }) => file);
    expect(files).toEqual(expect.arrayContaining(['README.md', join('docs', 'http.md')]));
  });

  it.each(blocks ?? [])('is valid, and what it launches starts ($file): $block', async ({ block }) => {
    const settings = ClientSettings.parse(parsed(block));
    for (const entry of Object.values('servers' in settings ? settings.servers : settings.mcpServers)) {
      if ('url' in entry) {
        expect(new URL(entry.url).pathname).toBe('/mcp');
        expect(Object.entries(entry.headers ?? {})).toEqual([['Authorization', expect.stringMatching(/^Bearer \S+$/)]]);
      } else {
        expect([entry.command, ...entry.args].join(' ')).toMatch(/^(npx -y customers-mcp|node \S+\/dist\/main\.js)$/);
        await launches(entry.env ?? SANDBOX);
      }
    }
  });

  it.each(tenants ?? [])('is a file of tenants with which the server starts ($file)', async ({ block }) => {
    const secret = tenantFile('test_key');
    onTestFinished(secret.remove);
    const layer = { LAYER_CLIENT_ID: 'id', LAYER_CLIENT_SECRET: 'secret' };
    const oauth = { CUSTOMERS_OAUTH_ISSUER: 'http://127.0.0.1:1', CUSTOMERS_OAUTH_AUDIENCE: 'http://127.0.0.1/mcp' };
    const server = await serveTenants(block.replace(/\/run\/secrets\/[\w-]+/g, secret.path), { ...layer, ...oauth });
    expect(server.urls).toHaveLength(1);
    await server.end();
  });
});

describe('a link of the documents', () => {
  const links = pages.flatMap(({ file, text }) =>
    [...text.matchAll(/(?:\]\(|src=")((?!https?:)[^)"\s]+)/g)].map(([, target = '']) => ({ file, target })),
  );

  it.each(links)('$target has a target that exists ($file)', ({ file, target }) => {
    const [path = '', anchor] = target.split('#');
    const to = path === '' ? file : join(dirname(file), path);
    expect(existsSync(join(ROOT, to)), to).toBe(true);
    if (anchor === undefined) return;
    const headings = readFileSync(join(ROOT, to), 'utf8').match(/^#+ .*$/gm) ?? [];
    expect(headings.map(anchorOf)).toContain(anchor);
  });
});

/** The variables of the server that commands of a shell export. */
async function exportedBy(commands: readonly string[]): Promise<Environment> {
  const { stdout } = await run('/bin/sh', ['-ec', [...commands, 'env'].join('\n')], { env: {} });
  return Object.fromEntries(
    stdout
      .split('\n')
      .map((line) => line.split('='))
      .filter(([name = '']) => VARIABLES.includes(name))
      .map(([name, ...value]) => [name, value.join('=')]),
  );
}

/** The built server starts with these variables, as a client would launch it, and answers a call of the tool. */
async function launches(environment: Readonly<Record<string, string | undefined>>, tool?: string): Promise<void> {
  const given = Object.entries(environment).map(([name, value = '']) => [name, value]);
  const server = await connect({ CUSTOMERS_STORE: 'memory:', ...Object.fromEntries(given) });
  if (tool !== undefined) expect((await server.call(tool)).isError).toBe(false);
  await server.close();
}

/** The anchor that GitHub generates. */
function anchorOf(heading: string): string {
  return heading
    .replace(/^#+ /, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
