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
    // The scripts would build, and other tests are using dist/.
    run(ROOT, 'npm', 'pack', '--ignore-scripts', '--pack-destination', folder);
    run(home, 'npm', 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, tarball()));
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const tarball = (): string => readdirSync(folder).find((file) => file.endsWith('.tgz')) ?? '';
  const installed = (): string => join(home, 'node_modules', packageJson.name);

  it('contains only the built program and the documents', () => {
    expect(readdirSync(installed()).toSorted()).toEqual(
      ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'].toSorted(),
    );
    expect(readdirSync(join(installed(), 'dist')).toSorted()).toEqual(readdirSync(join(ROOT, 'dist')).toSorted());
    const strange = readdirSync(join(installed(), 'dist')).filter((file) => !/\.js$|^LICENSES\.txt$/.test(file));
    expect(strange).toEqual([]);
  });

  it('installs no other package', () => {
    expect(readdirSync(join(home, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([packageJson.name]);
  });

  it('states its entry in the MCP registry', () => {
    const { name, mcpName } = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'));
    const entry = JSON.parse(readFileSync(join(ROOT, 'server.json'), 'utf8'));
    expect({ name, mcpName }).toEqual({ name: entry.packages[0].identifier, mcpName: entry.name });
  });

  it('has a command of the same name', () => {
    expect(readdirSync(join(home, 'node_modules', '.bin'))).toEqual([packageJson.name]);
  });

  it('has a command that runs without the rest of the project', () => {
    expect(run(home, 'npx', '--no-install', packageJson.name, '--version')).toBe(`${packageJson.version}\n`);
    expect(run(home, 'npx', '--no-install', packageJson.name, 'tools')).toMatch(/^create_customer\b/m);
    const fields = JSON.stringify({ external_id: 'crm-1', company_name: 'Acme' });
    const answer = parsed(run(home, 'npx', '--no-install', packageJson.name, 'call', 'create_customer', fields));
    expect(answer).toMatchObject({ outcome: 'created', external_id: 'crm-1', sandbox: true });
  }, 30_000);

  /** The output of a command that runs without this project and its settings. */
  function run(cwd: string, program: string, ...args: readonly string[]): string {
    return execFileSync(program, args, {
      cwd,
      encoding: 'utf8',
      env: { ...SANDBOX, HOME: folder, PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
});

describe('the supported versions of Node', () => {
  const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
  const workflow = read('.github/workflows/ci.yml');
  const oldest = packageJson.engines.node.replace('>=', '');

  it('are those on which the workflow runs the suite, from the oldest to that of the development dependencies', () => {
    const tested = (/^ +node: \[(.*)\]$/m.exec(workflow)?.[1] ?? '').replaceAll("'", '').split(', ');
    expect(tested[0]).toBe(oldest);
    expect(tested.at(-1)).toBe(/\d+/.exec(packageJson.devDependencies.node)?.[0]);
    expect(read('README.md')).toContain(`Node ${oldest} or newer`);
  });

  it('are tested by .ci/run alone, so that the workflow has no list of checks', () => {
    const commands = [...workflow.matchAll(/^ +- run: (.*)$/gm)].map(([, command]) => command);
    expect(commands).toEqual(['bash .ci/run', 'bash .ci/run suite']);
  });
});
