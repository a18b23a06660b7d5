import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isRecord } from '../../src/text.ts';
import { installLocked } from '../support/install.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
export const PEERS = fileURLToPath(new URL('peers', import.meta.url));

/** What an installation puts on the disk. */
export interface Size {
  readonly mb: number;
  readonly packages: number;
}

/** Installs what a peer's lock file names, unless it is there already. Each has a folder of its own, so that its size is its own. */
export async function installPeer(name: string): Promise<string> {
  const folder = join(PEERS, name);
  await installLocked(folder);
  return folder;
}

/** Our server as a person gets it: packed, and installed from the package in an empty folder. */
export async function installOurs(scratch: string): Promise<string> {
  const folder = join(scratch, 'ours');
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{}');
  await run('npm', ['pack', '--pack-destination', scratch], { cwd: PROJECT });
  const packed = readdirSync(scratch).find((file) => file.endsWith('.tgz')) ?? '';
  await run('npm', ['install', '--omit=dev', '--no-audit', '--no-fund', join(scratch, packed)], { cwd: folder });
  return folder;
}

/** Lets the generator write its server. Its types are stripped here, so that it does not pay for that at each start. */
export async function generate(folder: string): Promise<void> {
  const output = join(folder, 'dist/generated');
  const generator = join(folder, 'node_modules/openapi-mcp-generator/bin/openapi-mcp-generator.js');
  const options = ['--input', join(PEERS, 'openapi.json'), '--output', output, '--transport', 'stdio', '--force'];
  await run(process.execPath, [generator, ...options]);
  const source = readFileSync(join(output, 'src/index.ts'), 'utf8');
  // What was generated is not ours to compile or lint.
  rmSync(output, { recursive: true });
  writeFileSync(join(folder, 'dist/server.js'), stripTypeScriptTypes(source));
}

/** Of the packages that npm wrote down as installed, without those for development. */
export function installedSize(folder: string): Size {
  const lock: unknown = JSON.parse(readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8'));
  const packages = isRecord(lock) && isRecord(lock['packages']) ? lock['packages'] : {};
  const folders = Object.entries(packages)
    .filter(([, entry]) => isRecord(entry) && entry['dev'] !== true)
    .map(([path]) => join(folder, path))
    .filter((path) => existsSync(path));
  const bytes = folders.reduce((sum, path) => sum + bytesIn(path), 0);
  return { mb: bytes / 1_000_000, packages: folders.length };
}

/** A package's own files; the packages below it are counted by themselves. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? sum : sum + bytesIn(path);
    return entry.isFile() ? sum + statSync(path).size : sum;
  }, 0);
}
