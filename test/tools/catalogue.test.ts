import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { format, resolveConfig } from 'prettier';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Environment } from '../support/client.ts';
import { command, greetedServer, parsed, SANDBOX } from '../support/process.ts';

/** Every tool there is, by provider. */
const CATALOGUE = {
  layer: [
    'search_customer',
    'get_customer',
    'create_customer',
    'update_customer',
    'archive_customer',
    'restore_customer',
    'import_customers',
  ],
  dayzero: [
    'search_customer',
    'get_customer',
    'create_customer',
    'update_customer',
    'archive_customer',
    'link_customer',
    'import_customers',
  ],
  notify: [
    'search_customer',
    'get_customer',
    'create_customer',
    'update_customer',
    'archive_customer',
    'import_customers',
  ],
} as const;
const providers = ['layer', 'dayzero', 'notify'] as const;
const READERS = ['get_customer', 'search_customer'];
const DELETES: readonly string[] = ['dayzero', 'notify'];

const MOST_TOKENS = 1_600;
const MOST_TOKENS_WITH_IMPORT = 1_900;
const MOST_TOOLS = 20;

const UPDATE = process.env['UPDATE_SNAPSHOTS'] === '1';
const SNAPSHOTS = new URL('snapshots/', import.meta.url);

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
/** The object as it came, not zod's copy of it: the order of its keys counts. */
const Untouched = z.custom<Tool>((value) => Tool.safeParse(value).success);

/** The answer to tools/list, word for word. */
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

describe.each(providers)('the tools of %s', (provider) => {
  const environment = { ...SANDBOX, CUSTOMERS_PROVIDER: provider };
  let list = { first: '', again: '' };
  let tools: Tool[] = [];

  beforeAll(async () => {
    list = await listed(environment);
    tools = resultOf(list.first).tools;
  });

  it('are these and no others, each once', () => {
    expect(tools.map(({ name }) => name).toSorted()).toEqual(CATALOGUE[provider].toSorted());
  });

  it('are not more than an agent can overlook', () => {
    expect(tools.length).toBeLessThanOrEqual(MOST_TOOLS);
  });

  it('have names that every client takes', () => {
    expect(tools.map(({ name }) => name).filter((name) => !/^[a-z0-9_]{1,40}$/.test(name))).toEqual([]);
  });

  it('have a title and a description that ends as a sentence does', () => {
    const lacking = tools.filter(({ title, description }) => title.trim() === '' || !/\S{2,} .*\.$/s.test(description));
    expect(lacking.map(({ name }) => name)).toEqual([]);
  });

  it('say in their hints who reads, who destroys and who may be repeated', () => {
    const kinds = Object.fromEntries(tools.map(({ name, annotations }) => [name, annotations]));
    for (const [name, hints] of Object.entries(kinds)) {
      expect.soft(hints, name).toMatchObject({
        readOnlyHint: READERS.includes(name),
        destructiveHint: name === 'archive_customer' && DELETES.includes(provider),
        openWorldHint: true,
      });
    }
    // Only Layer's create is an upsert.
    expect(kinds['create_customer']?.idempotentHint).toBe(provider === 'layer');
    for (const name of ['search_customer', 'get_customer', 'update_customer', 'archive_customer'])
      expect.soft(kinds[name]?.idempotentHint, name).toBe(true);
  });

  it('take a closed object without alternatives, and never an empty one', () => {
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

  it('promise an object in which nothing is required and an error has its place', () => {
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

  it('are small enough to sit in every conversation', () => {
    const without = tools.filter(({ name }) => name !== 'import_customers');
    expect(countTokens(JSON.stringify({ tools: without }))).toBeLessThanOrEqual(MOST_TOKENS);
    expect(countTokens(JSON.stringify(resultOf(list.first)))).toBeLessThanOrEqual(MOST_TOKENS_WITH_IMPORT);
  });

  it('are as they were last looked at; UPDATE_SNAPSHOTS=1 accepts a change', async () => {
    const folder = new URL(`${provider}/`, SNAPSHOTS);
    if (UPDATE) await writeSnapshots(folder, tools);
    expect(readdirSync(folder).toSorted()).toEqual(tools.map(({ name }) => `${name}.json`).toSorted());
    for (const tool of tools) {
      const kept = parsed(readFileSync(new URL(`${tool.name}.json`, folder), 'utf8'));
      expect.soft(JSON.stringify(kept, undefined, 2), tool.name).toBe(JSON.stringify(snapshotOf(tool), undefined, 2));
    }
  });
});

describe.each(providers)('the choice of tools at %s', (provider) => {
  const CUSTOMERS_PROVIDER = provider;

  it('is the reading ones when it is read-only', async () => {
    expect((await namesWith({ CUSTOMERS_PROVIDER, CUSTOMERS_READ_ONLY: 'true' })).toSorted()).toEqual(READERS);
  });

  it('is the named ones, in the usual order', async () => {
    const CUSTOMERS_TOOLS = ' update_customer, create_customer ,get_customer';
    expect(await namesWith({ CUSTOMERS_PROVIDER, CUSTOMERS_TOOLS })).toEqual([
      'get_customer',
      'create_customer',
      'update_customer',
    ]);
  });

  it('cannot name a writing tool back into a read-only server', async () => {
    const settings = {
      CUSTOMERS_PROVIDER,
      CUSTOMERS_READ_ONLY: 'true',
      CUSTOMERS_TOOLS: 'create_customer,get_customer',
    };
    expect(await namesWith(settings)).toEqual(['get_customer']);
  });

  it('leaves a tool that is not listed uncallable', async () => {
    const server = await greetedServer({ ...SANDBOX, CUSTOMERS_PROVIDER, CUSTOMERS_READ_ONLY: 'true' });
    const answer = await server.request('tools/call', { name: 'create_customer', arguments: {} });
    expect(answer).toMatchObject({ error: { code: -32602 } });
    expect(answer).not.toHaveProperty('result');
    server.child.kill();
  });

  it('refuses a name that no tool has, and says which there are', async () => {
    const settings = { ...SANDBOX, CUSTOMERS_PROVIDER, CUSTOMERS_TOOLS: 'get_customer,remove_customer' };
    const { code, stdout, stderr } = await command([], settings);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/CUSTOMERS_TOOLS.*remove_customer/);
    for (const name of CATALOGUE[provider]) expect.soft(stderr).toContain(name);
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

/** The keywords of a schema, all the way down; names of properties are no keywords. */
function keysIn(schema: unknown, names = false): string[] {
  if (Array.isArray(schema)) return schema.flatMap((item) => keysIn(item));
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(names ? [] : [key]),
    ...keysIn(value, !names && key === 'properties'),
  ]);
}
