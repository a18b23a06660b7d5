import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { format, resolveConfig } from 'prettier';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Environment } from '../support/client.ts';
import { kits } from '../support/providers.ts';
import { command, greetedServer, parsed, SANDBOX } from '../support/process.ts';
import { toolsOf, UPDATE } from '../support/snapshots.ts';

/** The tools that only read, by their verbs. */
const READS = /^(get|search|list)_/;

const MAX_TOKENS = 2_100;
const MAX_TOOLS = 20;

const PROVIDERS = new URL('../providers/', import.meta.url);

const Hints = z.strictObject({
  readOnlyHint: z.boolean(),
  destructiveHint: z.boolean(),
  idempotentHint: z.boolean(),
  openWorldHint: z.boolean(),
});
const ObjectSchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), z.record(z.string(), z.unknown())),
});
const Tool = z.strictObject({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  inputSchema: ObjectSchema,
  outputSchema: ObjectSchema,
  annotations: Hints,
});
type Tool = z.infer<typeof Tool>;
/** The object as received, not zod's copy, because the order of its keys matters. */
const Untouched = z.custom<Tool>((value) => Tool.safeParse(value).success);

/** The exact answer to tools/list. */
async function listed(environment: Environment): Promise<{ first: string; again: string }> {
  const server = await greetedServer(environment);
  const texts: string[] = [];
  for (let times = 1; times <= 2; times += 1) {
    const id = server.begin('tools/list');
    await server.answer(id);
    const line = server.lines.find((one) => one.includes(`"id":${id}`)) ?? '';
    texts.push(line.replace(`"id":${id}`, '"id":0'));
  }
  server.child.stdin.end();
  await server.ended;
  const [first = '', again = ''] = texts;
  return { first, again };
}

function resultOf(line: string): { tools: Tool[] } {
  return z.object({ result: z.object({ tools: z.array(Untouched) }) }).parse(parsed(line)).result;
}

async function namesWith(environment: Environment): Promise<string[]> {
  const { first } = await listed({ ...SANDBOX, ...environment });
  return resultOf(first).tools.map(({ name }) => name);
}

describe.each(kits)('the tools of $title', (kit) => {
  const environment = { ...SANDBOX, CUSTOMERS_PROVIDER: kit.name };
  let list = { first: '', again: '' };
  let tools: Tool[] = [];

  beforeAll(async () => {
    list = await listed(environment);
    tools = resultOf(list.first).tools;
  });

  it('are few enough for an agent', () => {
    expect(tools.length).toBeLessThanOrEqual(MAX_TOOLS);
  });

  it('have names that every client accepts', () => {
    expect(tools.map(({ name }) => name).filter((name) => !/^[a-z0-9_]{1,40}$/.test(name))).toEqual([]);
  });

  it('have a title and a description that ends like a sentence', () => {
    const lacking = tools.filter(({ title, description }) => title.trim() === '' || !/\S{2,} .*\.$/s.test(description));
    expect(lacking.map(({ name }) => name)).toEqual([]);
  });

  it('have hints that state which read, which are destructive and which are idempotent', () => {
    const kinds = Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations]));
    for (const { name, description, annotations } of tools)
      expect.soft(annotations, name).toMatchObject({
        readOnlyHint: READS.test(name),
        destructiveHint: description.includes('Asks the user first'),
        openWorldHint: true,
      });
    expect(kinds['archive_customer']?.destructiveHint).toBe(kit.archive.outcome === 'deleted');
    expect(kinds['create_customer']?.idempotentHint).toBe(kit.upserts);
    for (const name of ['search_customer', 'get_customer', 'update_customer', 'archive_customer'])
      expect.soft(kinds[name]?.idempotentHint, name).toBe(true);
  });

  it('accept a closed object without alternatives, and never an empty one', () => {
    for (const { name, inputSchema } of tools) {
      expect.soft(inputSchema, name).toMatchObject({ type: 'object', additionalProperties: false });
      expect.soft(Object.keys(inputSchema.properties).length, name).toBeGreaterThan(0);
      expect
        .soft(
          keysIn(inputSchema).filter((key) => /^(oneOf|anyOf|allOf|not|\$ref|\$schema|if)$/.test(key)),
          name,
        )
        .toEqual([]);
    }
  });

  it('explain each field or list its choices', () => {
    const silent = tools.flatMap(({ name, inputSchema }) =>
      Object.entries(inputSchema.properties)
        .filter(
          ([, field]) =>
            !(typeof field['description'] === 'string' && field['description'].length > 3) &&
            !Array.isArray(field['enum']),
        )
        .map(([field]) => `${name}.${field}`),
    );
    expect(silent).toEqual([]);
  });

  it('declare an output object without required members, and with an error', () => {
    for (const { name, outputSchema } of tools) {
      expect.soft(outputSchema.type, name).toBe('object');
      expect.soft(outputSchema, name).not.toHaveProperty('required');
      expect.soft(outputSchema['additionalProperties'], name).not.toBe(false);
      expect.soft(outputSchema.properties, name).toHaveProperty('error');
      expect
        .soft(
          keysIn(outputSchema).filter((key) => /^(oneOf|anyOf|allOf)$/.test(key)),
          name,
        )
        .toEqual([]);
    }
  });

  it('are listed with the same bytes twice in one run, and in another run', async () => {
    expect(list.again).toBe(list.first);
    expect((await listed(environment)).first).toBe(list.first);
  });

  it('are small enough for every conversation', () => {
    expect(countTokens(JSON.stringify(resultOf(list.first)))).toBeLessThanOrEqual(MAX_TOKENS);
  });

  it('match the reviewed snapshots; UPDATE_SNAPSHOTS=1 accepts a change', async () => {
    const folder = new URL(`${kit.name}/snapshots/`, PROVIDERS);
    if (UPDATE) await writeSnapshots(folder, tools);
    if (!existsSync(folder)) throw new Error(`${folder.pathname} is missing; UPDATE_SNAPSHOTS=1 writes it.`);
    expect(readdirSync(folder).toSorted()).toEqual(tools.map(({ name }) => `${name}.json`).toSorted());
    for (const tool of tools) {
      const kept = parsed(readFileSync(new URL(`${tool.name}.json`, folder), 'utf8'));
      expect.soft(JSON.stringify(kept, undefined, 2), tool.name).toBe(JSON.stringify(snapshotOf(tool), undefined, 2));
    }
  });
});

describe.each(kits)('the choice of tools at $title', (kit) => {
  const CUSTOMERS_PROVIDER = kit.name;

  it('contains only the reading tools in read-only mode', async () => {
    expect((await namesWith({ CUSTOMERS_PROVIDER, CUSTOMERS_READ_ONLY: 'true' })).toSorted()).toEqual(
      toolsOf(kit.name).filter((name) => READS.test(name)),
    );
  });

  it('contains the named tools, in the usual order', async () => {
    const CUSTOMERS_TOOLS = ' update_customer, create_customer ,get_customer';
    expect(await namesWith({ CUSTOMERS_PROVIDER, CUSTOMERS_TOOLS })).toEqual([
      'get_customer',
      'create_customer',
      'update_customer',
    ]);
  });

  it('cannot add a writing tool in read-only mode', async () => {
    const settings = {
      CUSTOMERS_PROVIDER,
      CUSTOMERS_READ_ONLY: 'true',
      CUSTOMERS_TOOLS: 'create_customer,get_customer',
    };
    expect(await namesWith(settings)).toEqual(['get_customer']);
  });

  it('makes a tool that is not listed uncallable', async () => {
    const server = await greetedServer({ ...SANDBOX, CUSTOMERS_PROVIDER, CUSTOMERS_READ_ONLY: 'true' });
    const answer = await server.request('tools/call', { name: 'create_customer', arguments: {} });
    expect(answer).toMatchObject({ error: { code: -32602 } });
    expect(answer).not.toHaveProperty('result');
    server.child.kill();
  });

  it('refuses an unknown name, and lists the tools', async () => {
    const settings = { ...SANDBOX, CUSTOMERS_PROVIDER, CUSTOMERS_TOOLS: 'get_customer,remove_customer' };
    const { code, stdout, stderr } = await command([], settings);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/CUSTOMERS_TOOLS.*remove_customer/);
    for (const name of toolsOf(kit.name)) expect.soft(stderr).toContain(name);
  });
});

function snapshotOf(tool: Tool): { tokens: number; tool: Tool } {
  return { tokens: countTokens(JSON.stringify(tool)), tool };
}

async function writeSnapshots(folder: URL, tools: readonly Tool[]): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const style = await resolveConfig(new URL(import.meta.url));
  for (const tool of tools) {
    const json = await format(JSON.stringify(snapshotOf(tool)), { ...style, parser: 'json' });
    writeFileSync(new URL(`${tool.name}.json`, folder), json);
  }
}

/** The keywords of a schema, at any depth; names of properties are not keywords. */
function keysIn(schema: unknown, names = false): string[] {
  if (Array.isArray(schema)) return schema.flatMap((item) => keysIn(item));
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(names ? [] : [key]),
    ...keysIn(value, !names && key === 'properties'),
  ]);
}
