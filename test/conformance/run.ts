// The official conformance suite against the built server over HTTP, and the Inspector over HTTP and stdio. Not part of `npm test`: each is a large
// package that is fetched for the purpose, at the version that is named here.
import { spawn } from 'node:child_process';
import { createServer, request } from 'node:http';
import { createInterface } from 'node:readline';
import { styleText } from 'node:util';
import { BUILT } from '../support/client.ts';
import { SANDBOX } from '../support/process.ts';

const CONFORMANCE = '@modelcontextprotocol/conformance@0.1.16';
const INSPECTOR = '@modelcontextprotocol/inspector@2.12.0';
/** Those that need no tools made for the suite. */
const SCENARIOS = ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection'];
const TOKEN = 'conformance-'.repeat(4);

const server = spawn(process.execPath, [BUILT, 'http', '--port', '0'], {
  env: { PATH: process.env['PATH'] ?? '', ...SANDBOX, CUSTOMERS_HTTP_TOKEN: TOKEN },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise<string>((resolve, reject) => {
  createInterface({ input: server.stdout }).on('line', (line) => resolve(/http\S+/.exec(line)?.[0] ?? ''));
  server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
});

// The suite cannot show a token, so this adds it and leaves all else as it is, Host and Origin above all.
const door = createServer((incoming, answer) => {
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
await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
const address = door.address();
const open = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/mcp`;

async function passes(title: string, args: readonly string[], good: RegExp): Promise<boolean> {
  const child = spawn('npx', ['--yes', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const passed = code === 0 && good.test(output);
  process.stdout.write(
    `${passed ? styleText('green', 'ok ') : styleText('red', 'BAD')} ${title}\n${passed ? '' : output}`,
  );
  return passed;
}

const create = JSON.stringify({ external_id: 'conformance-1', company_name: 'Acme' });
const results: boolean[] = [];
for (const scenario of SCENARIOS) {
  const args = [CONFORMANCE, 'server', '--url', open, '--scenario', scenario];
  results.push(await passes(`conformance ${scenario}`, args, /Passed: (\d+)\/\1, 0 failed, 0 warnings/));
}
const questions = [
  ['tools/list', /"create_customer"/, '--strict'],
  ['prompts/list', /"onboard_customer"/],
  ['resources/list', /"field_guide"/],
  ['tools/call', /"outcome": ?"created"/, '--tool-name', 'create_customer', '--tool-args-json', create],
] as const;
const stdio = (provider: string): string[] => {
  const variables = Object.entries({ ...SANDBOX, CUSTOMERS_PROVIDER: provider });
  return [process.execPath, BUILT, ...variables.flatMap(([name, value]) => ['-e', `${name}=${value}`])];
};
const targets = [
  ['over HTTP', [url, '--transport', 'http', '--header', `Authorization: Bearer ${TOKEN}`], questions],
  ['over stdio', stdio('layer'), questions],
  ['over stdio, DayZero', stdio('dayzero'), questions.slice(0, 1)],
  ['over stdio, Notify', stdio('notify'), questions.slice(0, 1)],
] as const;
for (const [where, target, asked] of targets)
  for (const [method, good, ...more] of asked) {
    const args = [INSPECTOR, '--cli', ...target, '--format', 'json', '--method', method, ...more];
    results.push(await passes(`Inspector ${where}: ${method}`, args, good));
  }
server.kill();
door.close();
door.closeAllConnections();
process.exitCode = results.every(Boolean) ? 0 : 1;
