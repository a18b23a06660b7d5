import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

/** Whether the reviewed files are written instead of compared: `UPDATE_SNAPSHOTS=1`. */
export const UPDATE = process.env['UPDATE_SNAPSHOTS'] === '1';

const fileOf = (provider: string, file: string): URL => new URL(`../providers/${provider}/${file}`, import.meta.url);

/** A reviewed file of a provider's folder. Throws if it is missing, unless it is about to be written. */
export function readSnapshot(provider: string, file: string): Readonly<Record<string, unknown>> {
  const url = fileOf(provider, file);
  if (!existsSync(url)) {
    if (UPDATE) return {};
    throw new Error(`${url.pathname} is missing; UPDATE_SNAPSHOTS=1 writes it. Review what it contains.`);
  }
  return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(url, 'utf8')));
}

/** Writes a file of a provider's folder if snapshots are to be updated. */
export function writeSnapshot(provider: string, file: string, content: Readonly<Record<string, unknown>>): void {
  if (UPDATE) writeFileSync(fileOf(provider, file), `${JSON.stringify(content, undefined, 2)}\n`);
}

/** The names of a provider's tools, which are those of its reviewed snapshots. */
export function toolsOf(provider: string): readonly string[] {
  return readdirSync(fileOf(provider, 'snapshots/')).map((file) => file.replace(/\.json$/, ''));
}
