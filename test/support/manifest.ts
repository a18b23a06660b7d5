import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getMcpConfigForManifest, MANIFEST_SCHEMAS } from '@anthropic-ai/mcpb';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Environment } from './client.ts';
import { kits } from './providers.ts';
import { parsed } from './process.ts';

export const ROOT = new URL('../..', import.meta.url).pathname;
/** Read by Node itself, so that the second start is quicker. */
const OF_NODE = 'NODE_COMPILE_CACHE';

const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string(),
  author: z.object({ name: z.string() }),
  icon: z.string(),
  server: z.object({
    entry_point: z.string(),
    mcp_config: z.object({
      command: z.string(),
      args: z.array(z.string()),
      env: z.record(z.string(), z.string()),
    }),
  }),
  tools: z.array(z.unknown()),
  prompts: z.array(z.unknown()),
  compatibility: z.object({ runtimes: z.object({ node: z.string() }) }),
  user_config: z.record(
    z.string(),
    z.object({
      type: z.enum(['string', 'number', 'boolean']),
      title: z.string(),
      description: z.string(),
      sensitive: z.boolean().default(false),
      required: z.boolean().default(false),
      default: z.union([z.string(), z.number(), z.boolean()]).optional(),
      min: z.number().optional(),
      max: z.number().optional(),
    }),
  ),
});

export const manifest = Manifest.parse(json('manifest.json'));
export const { mcp_config: launched } = manifest.server;
const { [OF_NODE]: _, ...filled } = launched.env;
/** What is launched has these variables, each filled from a field. */
export const variables = filled;
export const fields = new Map(Object.entries(manifest.user_config));

export function json(file: string): unknown {
  return parsed(readFileSync(join(ROOT, file), 'utf8'));
}

/** The key of the field that fills a variable. */
export function keyOf(variable: string): string {
  return variable.replace(/^CUSTOMERS_/, '').toLowerCase();
}

/** What a person filled in, by the keys of the fields. */
export type Form = Readonly<Record<string, string | number | boolean>>;
/** What a host passes on for a field without a value: its placeholder, an empty text, or nothing. Each has been seen. */
export type Left = 'placeholder' | 'empty' | 'absent';

/** The environment that a host makes of a form. */
export async function filledIn(form: Form, left: Left, directory = ''): Promise<Environment> {
  const { data } = MANIFEST_SCHEMAS['0.3'].safeParse(json('manifest.json'));
  if (!data) throw new Error('The manifest is none.');
  const config = await getMcpConfigForManifest({
    manifest: data,
    extensionPath: directory,
    systemDirs: {},
    userConfig: { ...form },
    pathSeparator: '/',
  });
  const entries = Object.entries(config?.env ?? {});
  const unfilled = ([, value]: [string, string]): boolean => value.includes('${user_config.');
  if (left === 'placeholder') expect(entries.filter(unfilled)).not.toEqual([]);
  return Object.fromEntries(
    left === 'placeholder'
      ? entries
      : left === 'absent'
        ? entries.filter((entry) => !unfilled(entry))
        : entries.map(([name, value]) => [name, unfilled([name, value]) ? '' : value]),
  );
}

/** The stand-in of a provider, until the test ends. */
export async function connectableStandIn(name: string) {
  const kit = kits.find((one) => one.name === name) ?? expect.unreachable();
  const started = await kit.start();
  onTestFinished(() => started.standIn.close());
  return started;
}
