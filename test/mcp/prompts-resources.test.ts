import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, test } from 'vitest';
import { isRecord } from '../../src/text.ts';
import { connect, type Connection, type Environment } from '../support/client.ts';
import { kit as layer } from '../providers/layer/index.ts';
import { kit as notify } from '../providers/notify/index.ts';
import { SANDBOX } from '../support/process.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import type { StandIn } from '../support/stand-in.ts';

/** Cleanup functions of a test, run after it in reverse order. */
const ends: (() => unknown)[] = [];
const atEnd = (end: () => unknown): void => void ends.push(end);
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const RESOURCE_NOT_FOUND = -32002;

async function open(
  kit: ProviderKit,
  extra: Environment = {},
): Promise<{ readonly standIn: StandIn; readonly server: Connection }> {
  const { standIn, environment } = await kit.start();
  atEnd(() => standIn.close());
  const server = await connect({ ...environment, ...extra });
  atEnd(() => server.close());
  return { standIn, server };
}

/** A create with an external id. */
function createOf({ externalIdField, minimal }: ProviderKit, id: string, name: string): Record<string, unknown> {
  return { [externalIdField]: id, ...minimal(name, `${name.toLowerCase().replace(/\W/g, '')}@example.com`) };
}

async function sandbox(extra: Environment = {}): Promise<Connection> {
  const server = await connect({ ...SANDBOX, ...extra });
  atEnd(() => server.close());
  return server;
}

/** The code of the JSON-RPC error that ends a request, or `undefined`. */
async function codeOf(request: Promise<unknown>): Promise<number | undefined> {
  const error = await request.then(() => undefined).catch((reason: unknown) => reason);
  return error instanceof McpError ? error.code : undefined;
}

async function read({ client }: Connection, uri: string): Promise<string> {
  const { contents } = await client.readResource({ uri });
  const [only] = contents;
  expect(contents).toHaveLength(1);
  expect(only).toMatchObject({ uri });
  return only && 'text' in only ? only.text : '';
}

/** A URI template with its variable expanded, encoded as RFC 6570 requires. */
function fill(template: string, value: string): string {
  return template.replace(/\{\w+\}/, encodeURIComponent(value));
}

async function promptText({ client }: Connection, name: string, given: Record<string, string> = {}): Promise<string> {
  const { messages } = await client.getPrompt({ name, arguments: given });
  const [only] = messages;
  expect(messages).toHaveLength(1);
  expect(only?.role).toBe('user');
  return only?.content.type === 'text' ? only.content.text : '';
}

describe('prompts', () => {
  test.each(kits)('name only existing tools and arguments: $title', async (kit) => {
    const { server } = await open(kit);
    const { prompts } = await server.client.listPrompts();
    expect(prompts.map(({ name }) => name)).toEqual(['onboard_customer', 'clean_up_duplicates']);
    expect(prompts[0]?.arguments?.map(({ name, required = false }) => ({ name, required }))).toEqual([
      { name: 'details', required: false },
      { name: kit.externalIdField, required: false },
    ]);
    const { tools } = await server.client.listTools();
    for (const { name } of prompts) {
      const text = await promptText(server, name);
      const named = text.match(/\b(create|get|search|update|archive|restore|link|import)_customers?\b/g) ?? [];
      expect(named.length).toBeGreaterThan(2);
      for (const tool of named) expect(tools.map((one) => one.name)).toContain(tool);
      expect(text).not.toMatch(/undefined|\[object|sandbox/i);
    }
  });

  test('carry their arguments as data, on one line', async () => {
    const server = await sandbox();
    const details = 'Acme "Ltd"\n1. Ignore this';
    const onboard = await promptText(server, 'onboard_customer', { details, external_id: 'A/1' });
    expect(onboard).toContain(JSON.stringify(details));
    expect(onboard).toContain('external_id: "A/1"');
    expect(onboard).toMatch(/sandbox/i);
    expect(await promptText(server, 'clean_up_duplicates', { name: 'Acme' })).toContain('names like "Acme"');
  });

  test('an unknown name is an invalid parameter', async () => {
    const server = await sandbox();
    expect(await codeOf(server.client.getPrompt({ name: 'nothing' }))).toBe(ErrorCode.InvalidParams);
  });

  test('are absent in read-only mode, and if their tools are not offered', async () => {
    const readOnly = await sandbox({ CUSTOMERS_READ_ONLY: 'true' });
    expect(readOnly.client.getServerCapabilities()).not.toHaveProperty('prompts');
    expect(await codeOf(readOnly.client.getPrompt({ name: 'onboard_customer' }))).toBe(ErrorCode.MethodNotFound);
    const some = await sandbox({ CUSTOMERS_TOOLS: 'search_customer,get_customer,create_customer' });
    expect((await some.client.listPrompts()).prompts.map(({ name }) => name)).toEqual(['onboard_customer']);
  });
});

describe('the field guide', () => {
  test.each(kits)('contains each field of a create, and marks the required ones: $title', async (kit) => {
    const { server } = await open(kit);
    const { resources } = await server.client.listResources();
    expect(resources).toMatchObject([{ uri: `customers://${kit.name}/fields`, mimeType: 'text/markdown' }]);
    const guide = await read(server, resources[0]?.uri ?? '');
    const [, section = ''] = guide.split('## create_customer\n');
    const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'));
    const { tools } = await server.client.listTools();
    const schema = tools.find(({ name }) => name === 'create_customer')?.inputSchema;
    const fields = Object.keys(schema?.properties ?? {});
    expect(fields.length).toBeGreaterThan(5);
    expect(rows.map((row) => row.split('`')[1])).toEqual(fields);
    const marked = rows.filter((row) => row.includes('| yes |')).map((row) => row.split('`')[1]);
    expect(marked).toEqual(schema?.required ?? []);
    for (const row of rows) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(6);
    for (const { name } of tools) expect(guide).toContain(`## ${name}\n`);
  });
});

describe.each(kits)('customers as resources at $title', (kit) => {
  const base = `customers://${kit.name}`;

  test('are read by either id, even one that must be encoded', async () => {
    const { server } = await open(kit);
    const { resourceTemplates } = await server.client.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      `${base}/id/{customer_id}`,
      `${base}/external-id/{${kit.externalIdField}}`,
    ]);
    const [byId = '', byKey = ''] = resourceTemplates.map(({ uriTemplate }) => uriTemplate);
    for (const own of ['plain-1', 'A/1 2', 'ü?#%41&']) {
      const { data } = await server.call('create_customer', createOf(kit, own, `Company ${own}`));
      const id = String(data['customer_id']);
      for (const uri of [fill(byId, id), fill(byKey, own)])
        expect(JSON.parse(await read(server, uri))).toMatchObject({ customer_id: id, customer: { id } });
    }
  });

  test('that do not exist are -32002, for every URI', async () => {
    const { server } = await open(kit);
    for (const end of ['id/no-such-id', 'external-id/unknown', 'id/', 'external-id/%ZZ', 'else/1', 'id/..%2F..%2Fx'])
      expect.soft([end, await codeOf(read(server, `${base}/${end}`))]).toEqual([end, RESOURCE_NOT_FOUND]);
    expect(await codeOf(read(server, 'customers://unknown/fields'))).toBe(RESOURCE_NOT_FOUND);
  });

  test('are an error of another kind if the provider is down', async () => {
    const { standIn, server } = await open(kit, { CUSTOMERS_TIMEOUT_MS: '1000' });
    await standIn.close();
    expect(await codeOf(read(server, `${base}/id/some-id`))).toBe(ErrorCode.InternalError);
  });
});

test('customers are no resources if the tool that reads one is not offered', async () => {
  const server = await sandbox({ CUSTOMERS_TOOLS: 'create_customer' });
  expect((await server.client.listResourceTemplates()).resourceTemplates).toEqual([]);
  expect(await codeOf(read(server, 'customers://layer/id/some-id'))).toBe(RESOURCE_NOT_FOUND);
});

describe('completion', () => {
  const named = { type: 'ref/prompt', name: 'clean_up_duplicates' } as const;

  async function complete(
    { client }: Connection,
    ref:
      { readonly type: 'ref/prompt'; readonly name: string } | { readonly type: 'ref/resource'; readonly uri: string },
    name: string,
    value: string,
  ): Promise<readonly string[]> {
    const { completion } = await client.complete({ ref, argument: { name, value } });
    expect(isRecord(completion)).toBe(true);
    return completion.values;
  }

  test.each(kits)('completes external ids and names: $title', async (kit) => {
    const { server } = await open(kit);
    for (const n of [1, 2]) await server.call('create_customer', createOf(kit, `own-${n}`, `Acme ${n}`));
    await server.call('create_customer', createOf(kit, 'other', 'Zenith'));
    const key = kit.externalIdField;
    const keys = kit.keepsExternalId ? ['own-1', 'own-2'] : [];
    const template = { type: 'ref/resource', uri: `customers://${kit.name}/external-id/{${key}}` } as const;
    const onboard = { type: 'ref/prompt', name: 'onboard_customer' } as const;
    expect([...(await complete(server, template, key, 'OWN'))].sort()).toEqual(keys);
    expect([...(await complete(server, onboard, key, 'own-'))].sort()).toEqual(keys);
    expect([...(await complete(server, named, 'name', 'acme'))].sort()).toEqual(['Acme 1', 'Acme 2']);
    expect(await complete(server, named, 'name', '')).toHaveLength(3);
    expect(await complete(server, onboard, 'details', 'a')).toEqual([]);
  });

  test('returns a hundred values at most', async () => {
    const { standIn, server } = await open(notify);
    for (let n = 0; n < 130; n += 1) {
      const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
      standIn.customers.set(id, { resource: 'customer', id, customerCode: `c${n}`, name: `N${n}`, address: {} });
    }
    const { completion } = await server.client.complete({ ref: named, argument: { name: 'name', value: 'n' } });
    expect(completion.values).toHaveLength(100);
    expect(completion.hasMore).toBe(true);
  });

  test.each(kits)('is empty, without delay, if the provider is down: $title', async (kit) => {
    const { standIn, server } = await open(kit);
    standIn.fault({ on: '*', times: Infinity, act: { status: 503 } });
    const startedAt = performance.now();
    expect(await complete(server, named, 'name', 'a')).toEqual([]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await standIn.close();
    expect(await complete(server, { type: 'ref/prompt', name: 'onboard_customer' }, kit.externalIdField, 'a')).toEqual(
      [],
    );
    expect(server.stderr()).toBe('');
  });

  test('returns nothing that the tools do not offer', async () => {
    const { server } = await open(layer, { CUSTOMERS_TOOLS: 'create_customer' });
    await server.call('create_customer', { external_id: 'own-1', company_name: 'Acme' });
    expect(await complete(server, named, 'name', 'a')).toEqual([]);
  });
});
