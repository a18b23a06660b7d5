import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_SCHEMAS, validateManifest } from '@anthropic-ai/mcpb';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { generatedFiles } from '../scripts/settings.ts';
import { httpVariables, readConfig, variables as serverVariables } from '../src/config.ts';
import { providers } from '../src/providers/registry.ts';
import { Settings, type Variable } from '../src/settings.ts';
import { fields, filledIn, json, keyOf, manifest, ROOT, variables } from './support/manifest.ts';
import { asked, ofHttp, ofStdio } from './support/settings.ts';

const ofServer: readonly Variable[] = Object.values(serverVariables);
const ofForm: readonly Variable[] = [...ofServer, ...providers.flatMap((provider) => provider.variables)];
/** Variables that may contain a password, unless they are switches; the address of a store can include one. */
const SECRET = /_(SECRET|TOKEN|KEY)$|^CUSTOMERS_STORE$/;

describe('a generated file', () => {
  it('is up to date with the tables of variables and the servers; npm run settings writes it', async () => {
    for (const [file, text] of await generatedFiles())
      expect.soft(readFileSync(join(ROOT, file), 'utf8'), file).toBe(text);
  });
});

describe('manifest.json', () => {
  it('is accepted by hosts', () => {
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    onTestFinished(() => void said.mockRestore());
    expect(json('manifest.json')).toMatchObject({ manifest_version: '0.3' });
    expect(MANIFEST_SCHEMAS['0.3'].safeParse(json('manifest.json')).error?.issues).toBeUndefined();
    expect(validateManifest(join(ROOT, 'manifest.json'))).toBe(true);
  });

  it('describes the package like package.json and the license', () => {
    const { name, version, license } = packageJson;
    expect(manifest).toMatchObject({ name, version, license });
    expect(manifest.compatibility.runtimes.node).toBe(`${packageJson.engines.node}.0`);
    expect(readFileSync(join(ROOT, 'LICENSE'), 'utf8')).toMatch(new RegExp(`\\(c\\) \\d+ ${manifest.author.name}\\n`));
  });

  it('has an icon of the size that hosts show, and a small one', () => {
    const icon = readFileSync(join(ROOT, manifest.icon));
    expect([icon.readUInt32BE(16), icon.readUInt32BE(20)]).toEqual([512, 512]);
    expect(icon.length).toBeLessThan(30_000);
  });

  it('has each variable that the program reads, except those for HTTP and those of all programs', () => {
    expect(Object.keys(variables).toSorted()).toEqual(ofStdio);
    expect(ofForm.map(({ name }) => name).toSorted()).toEqual(ofStdio);
    expect(
      Object.values(httpVariables)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(ofHttp);
  });

  it.each(providers)('has the variables of $name', async (provider) => {
    const names = await asked((settings) => provider.configure(settings));
    expect(names).toEqual(provider.variables.map(({ name }) => name).toSorted());
  });

  it('fills each variable from the field of its name, and has no other field', () => {
    const expected = Object.keys(variables).map((name) => [name, `\${user_config.${keyOf(name)}}`]);
    expect(variables).toEqual(Object.fromEntries(expected));
    expect([...fields.keys()].toSorted()).toEqual(Object.keys(variables).map(keyOf).toSorted());
  });

  it('gives each field a title from which the user recognizes the variable', () => {
    for (const [key, { title }] of fields)
      expect.soft(title.toLowerCase().replaceAll(/\W+/g, '_').replace(/_$/, '')).toBe(key);
  });

  it('states which provider a field is for, and the permitted values', () => {
    for (const { title, variables: own } of providers)
      for (const { name } of own)
        expect.soft(fields.get(keyOf(name))?.description).toMatch(new RegExp(`^Only for ${title}\\b`));
    for (const { name, choices = [] } of ofForm)
      for (const choice of choices) expect.soft(fields.get(keyOf(name))?.description).toContain(choice);
  });

  it('marks exactly the secrets as sensitive', () => {
    const hidden = Object.keys(variables).filter((name) => fields.get(keyOf(name))?.sensitive);
    const secret = (name: string): boolean => SECRET.test(name) && fields.get(keyOf(name))?.type !== 'boolean';
    expect(hidden).toEqual(Object.keys(variables).filter(secret));
  });

  it('requires no field, and starts in the sandbox', () => {
    expect([...fields].filter(([, { required }]) => required)).toEqual([]);
    expect(fields.get('sandbox')?.default).toBe(true);
    expect(fields.get('sandbox')?.description).toMatch(/turn it off to use your account/i);
  });

  it('has the defaults and the limits of the program', async () => {
    const { sandbox, providers: names, ...given } = readConfig(new Settings(await filledIn({}, 'placeholder')));
    const { sandbox: _sandbox, providers: _names, ...standard } = readConfig(new Settings({}));
    expect(given).toEqual(standard);
    expect({ sandbox, names }).toEqual({ sandbox: true, names: [providers[0].name] });
    for (const { name, fallback, min, max } of ofForm) {
      const field = fields.get(keyOf(name));
      expect.soft([name, field?.min, field?.max]).toEqual([name, min, max]);
      expect.soft([name, field?.type]).toEqual([name, fallback === undefined ? 'string' : typeof fallback]);
    }
  });
});

describe('server.json', () => {
  const Package = z.strictObject({
    registryType: z.literal('npm'),
    identifier: z.string(),
    version: z.string(),
    transport: z.strictObject({ type: z.literal('stdio') }),
    environmentVariables: z.array(
      z.strictObject({
        name: z.string(),
        description: z.string(),
        format: z.enum(['string', 'number', 'boolean']),
        isRequired: z.literal(false).optional(),
        isSecret: z.boolean().optional(),
        default: z.string().optional(),
        choices: z.array(z.string()).optional(),
      }),
    ),
  });
  const Server = z.strictObject({
    $schema: z.literal('https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'),
    name: z.string().regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
    title: z.string().max(100),
    description: z.string().max(100),
    version: z.string(),
    packages: z.tuple([Package]),
  });
  const server = Server.parse(json('server.json'));
  const [only] = server.packages;

  it('describes the package like package.json', () => {
    const { name, version, mcpName } = packageJson;
    expect(server).toMatchObject({ name: mcpName, version });
    expect(only).toMatchObject({ identifier: name, version });
  });

  it('has the variables of the manifest, with the same descriptions', () => {
    const expected = Object.keys(variables).map((name) => {
      const { type, description, sensitive, default: fallback } = fields.get(keyOf(name)) ?? {};
      const { choices } = ofForm.find((variable) => variable.name === name) ?? {};
      return {
        name,
        description,
        format: type,
        ...(sensitive && { isSecret: true }),
        ...(fallback !== undefined && { default: String(fallback) }),
        ...(choices && { choices }),
        ...(name === 'CUSTOMERS_PROVIDER' && { choices: providers.map((provider) => provider.name) }),
      };
    });
    expect(only.environmentVariables).toEqual(expected);
  });
});
