import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import packageJson from '../package.json' with { type: 'json' };
import { Settings, type Environment } from './config.ts';
import { examine, type Finding } from './doctor.ts';
import { ConfigError, UsageError } from './errors.ts';
import { reconcile } from './identity/reconciler.ts';
import { serveStdio } from './mcp/stdio.ts';
import { setUp, type Offer, type Setup } from './setup.ts';
import { cleanText } from './text.ts';
import { describeFields } from './tools/describe-fields.ts';
import type { RowResult } from './tools/import-customers.ts';
import { listTools } from './tools/list-tools.ts';
import { runTool } from './tools/run-tool.ts';

/** What of the process a command may touch. */
export interface Terminal {
  readonly environment: Environment;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Resolves when the process is asked to stop. */
  readonly stopped: Promise<unknown>;
}

const HELP = `customers-mcp ${packageJson.version} - customer tools for AI agents, on Layer, DayZero and Notify

  customers-mcp                    serve MCP over stdio; what an MCP client launches
  customers-mcp http               serve MCP over HTTP, for a team; --host 127.0.0.1 --port 3000
  customers-mcp call TOOL [JSON]   run one tool and print its answer as JSON
  customers-mcp tools [--json]     print the tools and their input fields
  customers-mcp import FILE.csv    create the customers of a file, each once; --dry-run, --map COLUMN=FIELD
  customers-mcp doctor [--settle]  check settings, store and account, and look for creates that are open; --json
  customers-mcp --help, --version

Without any settings it runs in a sandbox that needs no account. For a real account set CUSTOMERS_PROVIDER to layer, dayzero
or notify, and that provider's variables:

  layer     LAYER_BUSINESS_ID, LAYER_CLIENT_ID and LAYER_CLIENT_SECRET (or LAYER_ACCESS_TOKEN), LAYER_ENVIRONMENT
  dayzero   DAYZERO_API_TOKEN, DAYZERO_BUSINESS_ID, DAYZERO_USER_EMAIL (optional)
  notify    NOTIFY_API_KEY

All settings are in the README.
`;

/** Runs a command; returns the exit code. 0 done, 1 the tool answered with an error, 2 wrong settings or usage. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const { stdout, stderr, environment } = terminal;
  try {
    const { command, operands, options } = readCommand(args);
    if (command === 'help') return print(stdout, HELP, 0);
    if (command === 'version') return print(stdout, `${packageJson.version}\n`, 0);
    if (command === 'doctor') return await doctor(options, terminal);
    if (command === 'http') return await serveOverHttp(options, terminal);
    const setup = await setUp(new Settings(environment), (text) => stderr.write(text));
    try {
      const [offer] = setup.offers;
      switch (command) {
        case 'call':
          return await call(operands, offer, terminal);
        case 'import':
          return await importFile(operands, options, offer, terminal);
        case 'tools':
          return await printTools(options.json === true, offer, terminal);
        default:
          return await serveOverStdio(setup, terminal);
      }
    } finally {
      await setup.close();
    }
  } catch (error) {
    if (error instanceof UsageError)
      return print(stderr, `customers-mcp: ${error.message}\nSee customers-mcp --help.\n`, 2);
    if (!(error instanceof ConfigError)) throw error;
    const list = error.problems.map((problem) => `  - ${problem}\n`).join('');
    return print(
      stderr,
      `customers-mcp cannot start; the settings need a change:\n${list}See customers-mcp --help.\n`,
      2,
    );
  }
}

/** Each command with how many words it takes, and which options besides --help and --version. */
const commands = {
  stdio: { words: 0, options: [] },
  http: { words: 0, options: ['host', 'port'] },
  call: { words: 2, options: [] },
  import: { words: 1, options: ['dry-run', 'map'] },
  tools: { words: 0, options: ['json'] },
  doctor: { words: 0, options: ['json', 'settle'] },
} as const;

type Options = ReturnType<typeof parse>['values'];

function readCommand(args: readonly string[]): {
  command: keyof typeof commands | 'help' | 'version';
  operands: readonly string[];
  options: Options;
} {
  const { values: options, positionals } = parse(args);
  const [name, ...operands] = positionals;
  if (options.help) return { command: 'help', operands, options };
  if (options.version) return { command: 'version', operands, options };
  const command = name === undefined ? 'stdio' : commandNames.find((one) => one === name && one !== 'stdio');
  if (command === undefined) throw new UsageError(`there is no command ${JSON.stringify(name)}`);
  const { words, options: known } = commands[command];
  if (operands.length > words) throw new UsageError(`too many words after ${name}; JSON goes in quotes`);
  const strange = Object.keys(options).find((option) => !known.some((one) => one === option));
  if (strange !== undefined) throw new UsageError(`--${strange} does not go with ${name ?? 'serving over stdio'}`);
  return { command, operands, options };
}

const commandNames = ['stdio', 'http', 'call', 'import', 'tools', 'doctor'] as const;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
        json: { type: 'boolean' },
        settle: { type: 'boolean' },
        host: { type: 'string' },
        port: { type: 'string' },
        'dry-run': { type: 'boolean' },
        map: { type: 'string', multiple: true },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'wrong arguments');
  }
}

async function serveOverStdio(setup: Setup, { stdin, stdout, stderr, stopped }: Terminal): Promise<number> {
  const [offer] = setup.offers;
  announceSandbox(offer, stderr);
  if (stdin.isTTY) {
    stderr.write(
      'customers-mcp: waiting for an MCP client on stdin. To try it by hand: customers-mcp call search_customer. To add it to a client, see the README. Ctrl-C ends it.\n',
    );
  }
  await whileReconciling(setup, () => serveStdio({ ...offer, version: packageJson.version }, stdin, stdout, stopped));
  return print(stdout, '', 0);
}

async function serveOverHttp({ host = '127.0.0.1', port = '3000' }: Options, terminal: Terminal): Promise<number> {
  const { environment, stdout, stderr, stopped } = terminal;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new UsageError('--port must be a number from 0 to 65535');
  // Node would take it for every address of the machine.
  if (host.trim() === '') throw new UsageError('--host must be a name or an address');
  const [{ readHttpConfig }, { serveHttp }] = await Promise.all([
    import('./http/config.ts'),
    import('./http/serve.ts'),
  ]);
  const settings = new Settings(environment);
  const config = readHttpConfig(settings, host, Number(port));
  const setup = await setUp(settings, (text) => stderr.write(text), true);
  try {
    for (const offer of setup.offers) announceSandbox(offer, stderr);
    await whileReconciling(setup, () =>
      serveHttp(setup, config, packageJson.version, stopped, ({ urls, madeToken }) => {
        stdout.write(urls.map((url) => `customers-mcp: serving MCP at ${url}\n`).join(''));
        if (madeToken !== undefined) stdout.write(describeToken(urls, madeToken));
      }),
    );
    return 0;
  } finally {
    await setup.close();
  }
}

/** A client entry that works until the server stops. */
function describeToken(urls: readonly string[], token: string): string {
  const entries = urls.map((url, index) => [
    urls.length === 1 ? 'customers' : `customers-${index + 1}`,
    { type: 'http', url, headers: { Authorization: `Bearer ${token}` } },
  ]);
  const json = JSON.stringify({ mcpServers: Object.fromEntries(entries) }, undefined, 2);
  return `CUSTOMERS_HTTP_TOKEN is not set, so this token was made for this run: ${token}\nAn entry for a client:\n${json}\n`;
}

/** Settles what is open in the background, for as long as the server runs. */
async function whileReconciling({ offers, log }: Setup, serve: () => Promise<void>): Promise<void> {
  const ending = new AbortController();
  const reconciling = offers.map(({ desk }) =>
    reconcile(desk.creates, ending.signal, desk.timeoutMs, (round) => {
      for (const { state } of round) log.info('reconciled', { provider: desk.provider.name, outcome: state });
    }),
  );
  try {
    await serve();
  } finally {
    ending.abort();
    await Promise.all(reconciling);
  }
}

function announceSandbox({ desk: { sandbox, provider } }: Offer, stderr: Writable): void {
  if (!sandbox) return;
  stderr.write(
    `customers-mcp: SANDBOX. ${provider.title} is simulated on this machine; nothing real is read or changed. Set CUSTOMERS_PROVIDER and its credentials for a real account.\n`,
  );
}

async function call(
  [name, json = '{}']: readonly string[],
  offer: Offer,
  { stdout, stderr, stopped }: Terminal,
): Promise<number> {
  const { tools, desk } = offer;
  const names = tools.map((tool) => tool.name).join(', ');
  const tool = tools.find((one) => one.name === name);
  if (!tool)
    throw new UsageError(
      name === undefined
        ? `call needs the name of a tool: ${names}`
        : `there is no tool ${JSON.stringify(name)} here; there are ${names}`,
    );
  const input = parseJson(json);
  announceSandbox(offer, stderr);
  const { isError, structured } = await runTool(tool, input, desk, {
    signal: signalOf(stopped),
    ask: async () => 'unavailable',
    progress() {},
  });
  return print(stdout, `${JSON.stringify(structured, undefined, 2)}\n`, isError ? 1 : 0);
}

/** How many rows that need attention are printed; the result file has them all. */
const MOST_LINES = 20;

async function importFile(
  [file]: readonly string[],
  { 'dry-run': dryRun = false, map = [] }: Options,
  offer: Offer,
  { stdout, stderr, stopped }: Terminal,
): Promise<number> {
  if (file === undefined) throw new UsageError('import needs the name of a CSV file');
  if (!offer.tools.some(({ name }) => name === 'import_customers'))
    throw new UsageError('the settings allow no import (CUSTOMERS_READ_ONLY, CUSTOMERS_TOOLS)');
  const { openImport, resultPath, summary } = await import('./import-file.ts');
  const { columns, rows, problems, run } = await openImport(file, map, offer);
  announceSandbox(offer, stderr);
  if (dryRun) {
    const width = Math.max(...columns.map(({ column }) => column.length));
    stdout.write(columns.map(({ column, field }) => `${column.padEnd(width)}  ->  ${field}\n`).join(''));
    stdout.write(
      `${rows.length} rows: ${rows.length - problems.length} can be sent, ${problems.length} cannot. Nothing was sent.\n`,
    );
    return print(stdout, describeRows(problems), problems.length === 0 ? 0 : 1);
  }
  const results = await run(signalOf(stopped), (done, total) => showProgress(stderr, done, total));
  const attention = results.filter(
    ({ outcome, warnings = [] }) =>
      outcome !== 'existing' && ((outcome !== 'created' && outcome !== 'updated') || warnings.length > 0),
  );
  stdout.write(`${summary(results)}\n${describeRows(attention)}`);
  const left = results.some(({ outcome }) => outcome === 'not_started' || outcome === 'unknown');
  return print(
    stdout,
    `Each row with what became of it: ${resultPath(file)}${left ? '\nRun the same command again for the rows that are left.' : ''}\n`,
    attention.length === 0 ? 0 : 1,
  );
}

function describeRows(rows: readonly RowResult[]): string {
  const lines = rows.slice(0, MOST_LINES).map(({ row, externalId, outcome, error, warnings = [] }) => {
    const text = error ? `${error.kind}: ${error.message}` : [outcome.replace('_', ' '), ...warnings].join('. ');
    return `row ${row}${externalId === undefined ? '' : ` (${cleanText(externalId, 60)})`}: ${text}\n`;
  });
  const more = rows.length - lines.length;
  return lines.join('') + (more > 0 ? `and ${more} more\n` : '');
}

const BAR = 30;

/** A bar that is drawn over itself; a log gets none. */
function showProgress(stderr: Terminal['stderr'], done: number, total: number): void {
  if (!stderr.isTTY) return;
  const filled = Math.round((done / total) * BAR);
  stderr.write(`\r[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ${done} of ${total}${done === total ? '\n' : ''}`);
}

async function doctor(
  { json = false, settle = false }: Options,
  { environment, stdout, stopped }: Terminal,
): Promise<number> {
  const findings = await examineAll(environment, settle, signalOf(stopped));
  const healthy = findings.every(({ ok }) => ok);
  if (json) return print(stdout, `${JSON.stringify({ healthy, findings }, undefined, 2)}\n`, healthy ? 0 : 1);
  const lines = findings.map(
    ({ check, ok, found, remedy }) =>
      `${ok ? 'ok   ' : 'BAD  '}${check}: ${found}\n${remedy === undefined ? '' : `     ${remedy}\n`}`,
  );
  return print(stdout, lines.join(''), healthy ? 0 : 1);
}

/** Settings that do not add up are a finding like any other. */
async function examineAll(environment: Environment, settle: boolean, signal: AbortSignal): Promise<readonly Finding[]> {
  let setup: Setup;
  try {
    setup = await setUp(new Settings(environment), () => {}, true);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => ({ check: 'settings', ok: false, found: problem }));
  }
  try {
    return await examine(setup, settle, signal);
  } finally {
    await setup.close();
  }
}

function signalOf(stopped: Promise<unknown>): AbortSignal {
  const stopping = new AbortController();
  void stopped.then(() => stopping.abort());
  return stopping.signal;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(
      'the input of call must be JSON, in quotes: customers-mcp call search_customer \'{"limit": 5}\'',
    );
  }
}

async function printTools(json: boolean, { tools, desk }: Offer, { stdout }: Terminal): Promise<number> {
  if (json) return print(stdout, `${JSON.stringify({ tools: listTools(tools) }, undefined, 2)}\n`, 0);
  const blocks = listTools(tools).map(({ name, title, description, inputSchema }) => {
    const fields = describeFields(inputSchema).map(({ field, required, meaning, rule }) => {
      const facts = [required ? 'required' : '', rule].filter(Boolean).join(', ');
      return { field, text: facts === '' ? meaning : `${meaning} (${facts})`.trim() };
    });
    const width = Math.max(...fields.map(({ field }) => field.length));
    return [
      `${name} - ${title}`,
      ...wrapped(description ?? '', '  '),
      '',
      ...fields.map(({ field, text }) => `    ${field.padEnd(width)}  ${text}`),
    ].join('\n');
  });
  return print(stdout, `${desk.provider.title}${desk.sandbox ? ' (sandbox)' : ''}\n\n${blocks.join('\n\n')}\n`, 0);
}

/** Lines that fit a terminal. */
function wrapped(text: string, indent: string): string[] {
  return (text.match(/\S.{0,93}(?=\s|$)|\S+/g) ?? []).map((line) => indent + line);
}

/** Resolves once the text is out, so that the process may end. A reader that has gone is no failure. */
function print(stream: Writable, text: string, code: number): Promise<number> {
  return new Promise((resolve) => {
    stream.write(text, () => resolve(code));
  });
}
