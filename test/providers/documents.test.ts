import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type Connection } from '../support/client.ts';
import { SANDBOX } from '../support/process.ts';
import { kits } from '../support/providers.ts';

const operations = ['create', 'update', 'search'] as const;
const tools = { create: 'create_customer', update: 'update_customer', search: 'search_customer' } as const;

type JsonSchema = Record<string, unknown>;

const Field = z.strictObject({
  name: z.string(),
  page: z.string(),
  required: z.literal(true).optional(),
  /** What the page states, as JSON Schema. */
  schema: z.record(z.string(), z.unknown()),
  /** What follows from elsewhere, and from where. */
  own: z.strictObject({ schema: z.record(z.string(), z.unknown()), why: z.string() }).optional(),
});
const Table = z.strictObject({
  read: z.iso.date(),
  pages: z.record(z.string(), z.url()),
  create: z.array(Field),
  update: z.array(Field),
  search: z.array(Field),
  left_out: z.record(z.enum(operations), z.record(z.string(), z.string())),
});

const Listed = z.object({
  name: z.string(),
  inputSchema: z.object({
    properties: z.record(z.string(), z.record(z.string(), z.unknown())),
    required: z.array(z.string()).optional(),
  }),
});

describe.each(kits)('the documents of $title', ({ name: provider, ownArguments: ours }) => {
  const file = new URL(`${provider}/fixtures/document.json`, import.meta.url);
  if (!existsSync(file))
    throw new Error(`${file.pathname} has to hold the fields that the pages of the provider document.`);
  const table = Table.parse(JSON.parse(readFileSync(file, 'utf8')));
  let connection: Connection;
  let listed: Map<string, z.infer<typeof Listed>['inputSchema']>;

  beforeAll(async () => {
    connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: provider });
    const { tools: all } = await connection.client.listTools();
    listed = new Map(
      z
        .array(Listed)
        .parse(all)
        .map(({ name, inputSchema }) => [name, inputSchema]),
    );
  });
  afterAll(() => connection.close());

  const inputOf = (tool: string): z.infer<typeof Listed>['inputSchema'] => listed.get(tool) ?? { properties: {} };

  it.each(operations)('names for every field of %s a page that the table knows', (operation) => {
    expect(table[operation].filter(({ page }) => !(page in table.pages))).toEqual([]);
  });

  it.each(operations)('offers for %s exactly the fields of the pages, besides arguments of ours', (operation) => {
    const offered = Object.keys(inputOf(tools[operation]).properties);
    const expected = [...table[operation].map(({ name }) => name), ...Object.keys(ours[operation])];
    expect(offered.toSorted()).toEqual([...new Set(expected)].toSorted());
  });

  it.each(operations)('keeps the order of the pages in %s', (operation) => {
    const documented = table[operation].map(({ name }) => name);
    const offered = Object.keys(inputOf(tools[operation]).properties).filter((name) => documented.includes(name));
    expect(offered).toEqual(documented);
  });

  it.each(operations)('requires for %s what the pages require, and no more', (operation) => {
    const required = table[operation].filter((field) => field.required).map(({ name }) => name);
    expect(inputOf(tools[operation]).required ?? []).toEqual(required);
  });

  it.each(operations)('states for %s the types, lengths, bounds and choices of the pages', (operation) => {
    const { properties } = inputOf(tools[operation]);
    const stated = table[operation].map(({ name }) => [name, withoutWords(properties[name] ?? {})]);
    const expected = table[operation].map(({ name, schema, own }) => [
      name,
      withoutFormat({ ...schema, ...own?.schema }),
    ]);
    expect(Object.fromEntries(stated)).toEqual(Object.fromEntries(expected));
  });

  it.each(operations)('takes nothing in %s that belongs to the settings or to the path', (operation) => {
    const arguments_ = Object.keys(ours[operation]);
    const left = Object.keys(table.left_out[operation]).filter((name) => !arguments_.includes(name));
    const offered = Object.keys(inputOf(tools[operation]).properties);
    expect(offered.filter((name) => left.includes(name))).toEqual([]);
  });

  it.each(operations)('gives %s the arguments of ours that it needs, and no others', (operation) => {
    const documented = table[operation].map(({ name }) => name);
    const own = Object.entries(inputOf(tools[operation]).properties).filter(([name]) => !documented.includes(name));
    const expected = Object.entries(ours[operation]).filter(([name]) => !documented.includes(name));
    const stated = own.map(([name, schema]) => [
      name,
      name === 'clear' ? { type: schema['type'] } : withoutWords(schema),
    ]);
    expect(Object.fromEntries(stated)).toEqual(Object.fromEntries(expected));
  });

  it('offers to clear only fields of the update that a create does not require', () => {
    const clear = z
      .object({ items: z.object({ type: z.literal('string'), enum: z.array(z.string()).nonempty() }) })
      .parse(inputOf('update_customer').properties['clear']).items.enum;
    const required = table.create.filter((field) => field.required).map(({ name }) => name);
    const mayBeEmpty = table.update.map(({ name }) => name).filter((name) => !required.includes(name));
    expect(clear.filter((name) => !mayBeEmpty.includes(name))).toEqual([]);
    expect(new Set(clear).size).toBe(clear.length);
    expect(clear).not.toContain('external_id');
  });
});

/** Formats are checked, and not listed, because Gemini's API refuses those of the pages. */
function withoutFormat(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => keyword !== 'format'));
}

function withoutWords(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => keyword !== 'description'));
}
