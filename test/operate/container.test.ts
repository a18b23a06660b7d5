import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { BUILT } from '../support/client.ts';
import { TOKEN } from '../support/http.ts';
import { ending } from '../support/process.ts';
import { ROOT } from './page.ts';

const lines = readFileSync(join(ROOT, 'Containerfile'), 'utf8').split('\n');
const given = (instruction: string): string[] =>
  lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));
const words = (instruction: string): readonly string[] => JSON.parse(given(instruction).at(-1) ?? '[]');

it('copies files that are there and that .dockerignore lets through', () => {
  const copied = given('COPY')
    .filter((line) => !line.startsWith('--from'))
    .flatMap((line) => line.split(' ').slice(0, -1));
  const [all, ...kept] = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n');
  expect(all).toBe('*');
  expect(kept.map((line) => line.slice(1)).toSorted()).toEqual(copied.toSorted());
  expect(copied.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
});

it('builds with scripts that exist, on a Node that the package accepts', () => {
  for (const [, name = ''] of given('RUN')
    .join('\n')
    .matchAll(/npm run (\S+)/g))
    expect(packageJson.scripts).toHaveProperty([name]);
  for (const line of given('FROM')) expect(line).toMatch(/^docker\.io\/library\/node:24-/);
});

it('serves as nobody from files that it cannot write', async () => {
  const root = mkdtempSync(join(tmpdir(), 'customers-mcp-image-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const image = join(root, 'opt/customers-mcp');
  mkdirSync(image, { recursive: true });
  // All that the image has of this repository: no package.json and no node_modules.
  cpSync(dirname(BUILT), join(image, 'dist'), { recursive: true });
  for (const path of [root, join(root, 'opt'), image]) chmodSync(path, 0o555);
  const [node, main = ''] = words('ENTRYPOINT');
  expect([node, main]).toEqual(['node', '/opt/customers-mcp/dist/main.js']);
  expect(words('CMD')).toEqual(['http', '--host', '0.0.0.0']);
  const [uid = 0, gid = 0] = (given('USER')[0] ?? '').split(':').map(Number);
  expect([uid, gid]).toEqual([65_534, 65_534]);
  const isRoot = process.getuid?.() === 0;
  const child = spawn(process.execPath, [join(root, main), ...words('CMD'), '--port', '0'], {
    cwd: image,
    env: { CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: 'memory:', CUSTOMERS_HTTP_TOKEN: TOKEN },
    ...(isRoot && { uid, gid }),
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = ending(child);
  let errors = '';
  child.stderr.on('data', (chunk) => (errors += String(chunk)));
  const started = new Promise<string>((resolve) => {
    child.stdout.on('data', (chunk) => {
      const port = /serving MCP at http:\/\/0\.0\.0\.0:(\d+)/.exec(String(chunk))?.[1];
      if (port !== undefined) resolve(port);
    });
  });
  const port = await Promise.race([started, ended.then(() => errors)]);
  const [, , check = ''] = words('HEALTHCHECK CMD');
  const probe = spawn(process.execPath, ['-e', check.replace(':3000/', `:${port}/`)]);
  expect(await ending(probe)).toEqual({ code: 0, signal: null });
  child.kill('SIGTERM');
  expect(await ended).toEqual({ code: 0, signal: null });
  const failing = spawn(process.execPath, ['-e', check.replace(':3000/', `:${port}/`)]);
  expect(await ending(failing)).toEqual({ code: 1, signal: null });
});
