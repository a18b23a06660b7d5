import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(join(ROOT, 'docs/operate.md'), 'utf8');

export interface Block {
  readonly language: string;
  readonly body: string;
}

export const blocks: readonly Block[] = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
  ([, language = '', body = '']) => ({ language, body }),
);

/** The blocks of the page in this language. */
export function blocksIn(language: string): readonly string[] {
  return blocks.filter((block) => block.language === language).map(({ body }) => body);
}

/** The only block of the page in this language. */
export function blockIn(language: string): string {
  const [body, ...others] = blocksIn(language);
  if (body === undefined || others.length > 0) throw new Error(`The page needs exactly one block in ${language}.`);
  return body;
}

/** A folder until the end of the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'customers-mcp-operate-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The path of a program on this machine. A program that is missing is said, and its tests are skipped. */
export function find(program: string): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = places.map((place) => join(place, program)).find((path) => existsSync(path));
  if (!found) process.stdout.write(`No ${program} on this machine: its tests are skipped.\n`);
  return found;
}

export const run = promisify(execFile);
