// The official conformance suite against the built server over HTTP, and the Inspector over HTTP and stdio, in both eras of the
// protocol. Not part of `npm test`, because each is a large package that is downloaded in the version named here. The suite
// compares each message with the specification's schema (its check `wire-schema-valid`).
import { spawn } from 'node:child_process';
import { createServer, request } from 'node:http';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters, styleText } from 'node:util';
import { providers } from '../../src/providers/registry.ts';
import { BUILT } from '../support/client.ts';
import { SANDBOX } from '../support/process.ts';

const INSPECTOR = '@modelcontextprotocol/inspector@2.12.0';

/** The protocol revisions with a handshake. */
const HANDSHAKE = {
  suite: '@modelcontextprotocol/conformance@0.1.16',
  options: [],
  scenarios: ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection'],
};

const MODERN = {
  suite: '@modelcontextprotocol/conformance@0.2.0-alpha.12',
  options: ['--spec-version', '2026-07-28'],
  scenarios: [
    'server-stateless',
    'tools-list',
    'prompts-list',
    'resources-list',
    'completion-complete',
    'caching',
    'http-header-validation',
    'dns-rebinding-protection',
    'sep-2164-resource-not-found',
    'input-required-result-unsupported-methods',
  ],
};

/** The scenarios of both suites that cannot apply, with the reason. */
const NOT_APPLICABLE: readonly (readonly [reason: string, scenarios: readonly string[]])[] = [
  [
    'need the tools, prompts and resources of a test server (test_simple_text and the like)',
    [
      'tools-call-*',
      'prompts-get-*',
      'resources-read-*',
      'resources-templates-read',
      'json-schema-2020-12',
      'server-sse-*',
      'elicitation-*',
      'http-custom-header-server-validation',
      'input-required-result-* except unsupported-methods',
    ],
  ],
  ['the server keeps no sessions', ['server-session-lifecycle']],
  ['no capability for it is declared', ['logging-set-level', 'resources-subscribe', 'resources-unsubscribe']],
  ['extensions that are not offered', ['tasks-*', 'sep-2640-*']],
];
const TOKEN = 'conformance-'.repeat(4);

const server = spawn(process.execPath, [BUILT, 'http', '--port', '0'], {
  env: { PATH: process.env['PATH'] ?? '', ...SANDBOX, CUSTOMERS_HTTP_TOKEN: TOKEN },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise<string>((resolve, reject) => {
  createInterface({ input: server.stdout }).on('line', (line) => resolve(/http\S+/.exec(line)?.[0] ?? ''));
  server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
});

// The suite cannot send a token, so this relay adds it and leaves everything else unchanged, in particular Host and Origin.
const relay = createServer((incoming, answer) => {
  const headers = { ...incoming.headers, authorization: `Bearer ${TOKEN}` };
  const { port } = new URL(url);
  const onward = request(
    { host: '127.0.0.1', port, path: incoming.url, method: incoming.method, headers },
    (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    },
  );
  onward.on('error', () => answer.destroy());
  incoming.pipe(onward);
});
await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
const address = relay.address();
const open = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/mcp`;

async function passes(title: string, args: readonly string[], isGood: (output: string) => boolean): Promise<boolean> {
  const child = spawn('npx', ['--yes', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const passed = isGood(stripVTControlCharacters(output)) && code !== null;
  process.stdout.write(
    `${passed ? styleText('green', 'ok ') : styleText('red', 'BAD')} ${title}\n${passed ? '' : output}`,
  );
  return passed;
}

const create = JSON.stringify({ external_id: 'conformance-1', company_name: 'Acme' });
const results: boolean[] = [];
for (const { suite, options, scenarios } of [HANDSHAKE, MODERN])
  for (const scenario of scenarios) {
    const args = [suite, 'server', '--url', open, '--scenario', scenario, ...options];
    const title = ['conformance', ...options.slice(1), scenario].join(' ');
    results.push(await passes(title, args, isClean));
  }
process.stdout.write(
  NOT_APPLICABLE.map(([reason, scenarios]) => `--  not applicable: ${scenarios.join(', ')}: ${reason}\n`).join(''),
);

/** Whether all checks passed, apart from those that the suite itself calls not testable without a tool of its test server. */
function isClean(output: string): boolean {
  const [, passed, all, failed] = /Passed: (\d+)\/(\d+), (\d+) failed, 0 warnings/.exec(output) ?? [];
  const untestable = output.match(/^ *Error: Not testable: /gm) ?? [];
  return passed !== undefined && Number(passed) > 0 && Number(failed) === untestable.length && Number(all) > 0;
}

const questions = [
  ['tools/list', /"create_customer"/, '--strict'],
  ['prompts/list', /"onboard_customer"/],
  ['resources/list', /"field_guide"/],
  ['tools/call', /"outcome": ?"(created|existing)"/, '--tool-name', 'create_customer', '--tool-args-json', create],
] as const;
const stdio = (provider: string): string[] => {
  const variables = Object.entries({ ...SANDBOX, CUSTOMERS_PROVIDER: provider });
  return [process.execPath, BUILT, ...variables.flatMap(([name, value]) => ['-e', `${name}=${value}`])];
};
const targets = [
  ['over HTTP', [url, '--transport', 'http', '--header', `Authorization: Bearer ${TOKEN}`], questions],
  ...providers.map(
    ({ name, title }, index) =>
      [`over stdio, ${title}`, stdio(name), index === 0 ? questions : questions.slice(0, 1)] as const,
  ),
] as const;
for (const era of ['legacy', 'modern'])
  for (const [where, target, asked] of targets)
    for (const [method, good, ...more] of asked) {
      const args = ['--cli', '--protocol-era', era, ...target, '--format', 'json', '--method', method, ...more];
      const title = `Inspector, ${era} era, ${where}: ${method}`;
      results.push(await passes(title, [INSPECTOR, ...args], (output) => good.test(output)));
    }
server.kill();
relay.close();
relay.closeAllConnections();
process.exitCode = results.every(Boolean) ? 0 : 1;
