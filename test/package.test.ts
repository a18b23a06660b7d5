import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { SANDBOX, parsed } from './support/process.ts';

const ROOT = new URL('..', import.meta.url).pathname;

describe('the package', () => {
  let folder = '';
  let home = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'customers-mcp-package-'));
    home = join(folder, 'somewhere else');
    mkdirSync(home);
    writeFileSync(join(home, 'package.json'), '{}');
    // Its scripts would build, and other tests are at work with dist/.
    run(ROOT, 'npm', 'pack', '--ignore-scripts', '--pack-destination', folder);
    run(home, 'npm', 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, tarball()));
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const tarball = (): string => readdirSync(folder).find((file) => file.endsWith('.tgz')) ?? '';
  const installed = (): string => join(home, 'node_modules', packageJson.name);

  it('brings the built program and what a person reads, and nothing else', () => {
    expect(readdirSync(installed()).toSorted()).toEqual(
      ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'].toSorted(),
    );
    expect(readdirSync(join(installed(), 'dist')).toSorted()).toEqual(readdirSync(join(ROOT, 'dist')).toSorted());
    const strange = readdirSync(join(installed(), 'dist')).filter((file) => !/\.js$|^LICENSES\.txt$/.test(file));
    expect(strange).toEqual([]);
  });

  it('brings no other package along', () => {
    expect(readdirSync(join(home, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([packageJson.name]);
  });

  it('says which entry of the MCP registry it is', () => {
    const { name, mcpName } = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'));
    const entry = JSON.parse(readFileSync(join(ROOT, 'server.json'), 'utf8'));
    expect({ name, mcpName }).toEqual({ name: entry.packages[0].identifier, mcpName: entry.name });
  });

  it('has its name as its command', () => {
    expect(readdirSync(join(home, 'node_modules', '.bin'))).toEqual([packageJson.name]);
  });

  it('has a command that runs where nothing else of ours is', () => {
    expect(run(home, 'npx', '--no-install', packageJson.name, '--version')).toBe(`${packageJson.version}\n`);
    expect(run(home, 'npx', '--no-install', packageJson.name, 'tools')).toMatch(/^create_customer\b/m);
    const fields = JSON.stringify({ external_id: 'crm-1', company_name: 'Acme' });
    const answer = parsed(run(home, 'npx', '--no-install', packageJson.name, 'call', 'create_customer', fields));
    expect(answer).toMatchObject({ outcome: 'created', external_id: 'crm-1', sandbox: true });
  }, 30_000);

  /** What a command prints. It sees neither this project nor its settings. */
  function run(cwd: string, program: string, ...args: readonly string[]): string {
    return execFileSync(program, args, {
      cwd,
      encoding: 'utf8',
      env: { ...SANDBOX, HOME: folder, PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
});
