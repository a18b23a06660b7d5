import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type Connection } from '../support/client.ts';
import { SANDBOX } from '../support/process.ts';

const providers = ['layer', 'dayzero', 'notify'] as const;
const operations = ['create', 'update', 'search'] as const;
const tools = { create: 'create_customer', update: 'update_customer', search: 'search_customer' } as const;

type JsonSchema = Record<string, unknown>;

/** Arguments of ours, which no page of a provider has: name and schema, without its words. */
const OURS: Record<(typeof providers)[number], Record<string, Record<string, JsonSchema>>> = {
  layer: {
    create_customer: {},
    update_customer: { customer_id: text(), clear: list() },
    search_customer: {},
    get_customer: { customer_id: text(), external_id: text() },
    archive_customer: { customer_id: text(), external_id: text() },
    restore_customer: { customer_id: text(), external_id: text() },
  },
  dayzero: {
    create_customer: { external_id: text(255), allow_duplicate: yesNo(), resend: yesNo(), confirm: text() },
    update_customer: { customer_id: text(), external_id: text(), clear: list() },
    search_customer: {},
    get_customer: { customer_id: text(), external_id: text() },
    archive_customer: { customer_id: text(), external_id: text(), confirm: text() },
    link_customer: { external_id: text(255), customer_id: text() },
  },
  notify: {
    create_customer: { resend: yesNo(), confirm: text() },
    update_customer: { customer_id: text(), CustomerCode: text(), clear: list() },
    search_customer: {},
    get_customer: { customer_id: text(), CustomerCode: text() },
    archive_customer: { customer_id: text(), CustomerCode: text(), confirm: text() },
  },
};

const REQUIRED_OF_OURS: Record<string, readonly string[]> = { link_customer: ['external_id', 'customer_id'] };

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

describe.each(providers)('the documents of %s', (provider) => {
  const table = Table.parse(
    JSON.parse(readFileSync(new URL(`${provider}/fixtures/document.json`, import.meta.url), 'utf8')),
  );
  const ours = OURS[provider];
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
    const expected = [...table[operation].map(({ name }) => name), ...Object.keys(ours[tools[operation]] ?? {})];
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

  it.each(operations)('states for %s the types, lengths, bounds, formats and choices of the pages', (operation) => {
    const { properties } = inputOf(tools[operation]);
    const stated = table[operation].map(({ name }) => [name, withoutWords(properties[name] ?? {})]);
    const expected = table[operation].map(({ name, schema, own }) => [name, { ...schema, ...own?.schema }]);
    expect(Object.fromEntries(stated)).toEqual(Object.fromEntries(expected));
  });

  it.each(operations)('takes nothing in %s that belongs to the settings or to the path', (operation) => {
    const arguments_ = Object.keys(ours[tools[operation]] ?? {});
    const left = Object.keys(table.left_out[operation]).filter((name) => !arguments_.includes(name));
    const offered = Object.keys(inputOf(tools[operation]).properties);
    expect(offered.filter((name) => left.includes(name))).toEqual([]);
  });

  it.each(Object.keys(ours))('gives %s the arguments of ours that it needs, and no others', (tool) => {
    const operation = operations.find((one) => tools[one] === tool);
    const documented = operation ? table[operation].map(({ name }) => name) : [];
    const { properties, required } = inputOf(tool);
    const own = Object.entries(properties).filter(([name]) => !documented.includes(name));
    const expected = Object.entries(ours[tool] ?? {}).filter(([name]) => !documented.includes(name));
    const stated = own.map(([name, schema]) => [
      name,
      name === 'clear' ? { type: schema['type'] } : withoutWords(schema),
    ]);
    expect(Object.fromEntries(stated)).toEqual(Object.fromEntries(expected));
    if (!operation) expect(required ?? []).toEqual(REQUIRED_OF_OURS[tool] ?? []);
  });

  it('lists every tool whose arguments are described here', () => {
    expect([...listed.keys()].filter((name) => name !== 'import_customers').toSorted()).toEqual(
      Object.keys(ours).toSorted(),
    );
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

function text(maxLength?: number): JsonSchema {
  return { type: 'string', ...(maxLength !== undefined && { maxLength }) };
}

function yesNo(): JsonSchema {
  return { type: 'boolean' };
}

/** What is in it differs; looked at separately. */
function list(): JsonSchema {
  return { type: 'array' };
}

function withoutWords(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => keyword !== 'description'));
}
