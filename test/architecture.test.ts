import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { isRecord } from '../src/text.ts';

/**
 * Who may import whom below src/. The longest row that a file's path begins with rules it, and each file needs a row.
 * A target is a file or a folder; `types` may be named, but nothing of them may run. A folder may always import itself.
 */
const ROWS: Readonly<Record<string, { readonly may: readonly string[]; readonly types?: readonly string[] }>> = {
  'main.ts': { may: ['cli.ts'] },
  'cli.ts': {
    may: [
      'setup.ts',
      'doctor.ts',
      'errors.ts',
      'text.ts',
      'config.ts',
      'http/',
      'identity/reconciler.ts',
      'import-file.ts',
      'tools/describe-fields.ts',
      'tools/list-tools.ts',
      'tools/run-tool.ts',
      'mcp/',
      '../package.json',
    ],
    types: ['tools/import-customers.ts'],
  },
  'import-file.ts': {
    may: ['errors.ts', 'text.ts', 'tools/describe-fields.ts', 'tools/import-customers.ts'],
    types: ['setup.ts'],
  },
  'setup.ts': {
    may: ['config.ts', 'log.ts', 'sandbox.ts', 'telemetry.ts', 'identity/', 'providers/registry.ts', 'tools/index.ts'],
    types: ['providers/provider.ts', 'tools/'],
  },
  'doctor.ts': {
    may: ['errors.ts', 'identity/create-once.ts', 'identity/reconciler.ts', 'text.ts'],
    types: ['http-client.ts', 'setup.ts'],
  },
  'config.ts': { may: ['errors.ts', 'log.ts'] },
  'sandbox.ts': { may: ['text.ts'] },
  'http-client.ts': { may: ['errors.ts', 'telemetry.ts', 'text.ts'] },
  'telemetry.ts': { may: [] },
  'http/': {
    may: ['config.ts', 'errors.ts', 'log.ts', 'mcp/http.ts', 'mcp/running.ts', 'text.ts'],
    types: ['mcp/server.ts', 'setup.ts'],
  },
  'errors.ts': { may: [] },
  'text.ts': { may: [] },
  'turns.ts': { may: [] },
  'log.ts': { may: [] },
  'mcp/': {
    may: [
      'telemetry.ts',
      'text.ts',
      'tools/describe-fields.ts',
      'tools/list-tools.ts',
      'tools/run-tool.ts',
      'mcp/view/view.html',
    ],
    types: ['tools/tool.ts'],
  },
  // It runs in a browser.
  'mcp/view/': { may: ['text.ts'] },
  'tools/': {
    may: ['errors.ts', 'log.ts', 'text.ts'],
    types: ['http-client.ts', 'identity/', 'providers/provider.ts'],
  },
  'identity/': { may: ['errors.ts', 'text.ts', 'turns.ts'], types: ['http-client.ts', 'providers/provider.ts'] },
  'identity/stores/': { may: ['identity/ledger.ts'], types: ['config.ts'] },
  'providers/account.ts': { may: [] },
  'providers/provider.ts': { may: [], types: ['config.ts', 'http-client.ts', 'sandbox.ts'] },
  'providers/rows.ts': { may: ['errors.ts'], types: ['providers/provider.ts'] },
  'providers/registry.ts': {
    may: ['providers/dayzero/index.ts', 'providers/layer/index.ts', 'providers/notify/index.ts'],
    types: ['providers/provider.ts'],
  },
  'providers/dayzero/': aProvider(),
  'providers/layer/': aProvider(),
  'providers/notify/': aProvider(),
};

/** The same for every provider: the port and what carries it, and never another provider. */
function aProvider() {
  return {
    may: [
      'errors.ts',
      'http-client.ts',
      'sandbox.ts',
      'text.ts',
      'turns.ts',
      'providers/account.ts',
      'providers/rows.ts',
    ],
    types: ['providers/provider.ts'],
  };
}

/** Every package, and each part of Node that not everybody may touch, with the only places that may. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@modelcontextprotocol/sdk': ['mcp/'],
  '@hono/node-server': ['http/'],
  '@opentelemetry/api': ['telemetry.ts'],
  '@redis/client': ['identity/stores/redis.ts'],
  'env-paths': ['config.ts'],
  hono: ['http/'],
  jose: ['http/callers.ts'],
  keyv: ['identity/', 'sandbox.ts'],
  leven: ['import-file.ts', 'tools/arguments.ts'],
  papaparse: ['import-file.ts'],
  pg: ['identity/stores/postgres.ts'],
  'rate-limiter-flexible': ['http/', 'identity/stores/', 'setup.ts'],
  undici: ['http-client.ts'],
  zod: ['tools/', 'providers/'],
  'node:child_process': [],
  'node:fs': ['config.ts', 'import-file.ts', 'identity/stores/'],
  'node:http': ['sandbox.ts'],
  'node:https': [],
  'node:process': ['main.ts'],
  'node:sqlite': ['identity/stores/sqlite.ts'],
};

/** Globals, with the only places that may name them. */
const GLOBALS: Readonly<Record<string, readonly string[]>> = {
  console: [],
  process: ['main.ts'],
  fetch: ['http/callers.ts'],
};

const PROVIDERS = ['layer', 'dayzero', 'notify'];
/** The help tells people which providers there are. */
const MAY_NAME_PROVIDERS = ['cli.ts'];

interface Import {
  readonly from: string;
  /** The specifier, or for one of our files its path below src/. */
  readonly target: string;
  readonly local: boolean;
  readonly typeOnly: boolean;
}

interface Source {
  readonly file: string;
  readonly imports: readonly Import[];
  readonly nodes: readonly Node[];
}

type Node = Readonly<Record<string, unknown>> & { readonly type: string };

const SRC = fileURLToPath(new URL('../src', import.meta.url));
const sources: readonly Source[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/'))
  .toSorted()
  .map(read);
const files = sources.map(({ file }) => file);
const imports = sources.flatMap((source) => source.imports);

describe('the source', () => {
  it('is read whole', () => {
    expect(files).toContain('main.ts');
    expect(imports.length).toBeGreaterThan(files.length);
  });

  it('has a row of the table for each file, and each row has a file', () => {
    expect(files.filter((file) => rowOf(file) === undefined)).toEqual([]);
    expect(Object.keys(ROWS).filter((row) => !files.some((file) => file.startsWith(row)))).toEqual([]);
  });

  it('imports only what the table allows', () => {
    const forbidden = imports
      .filter(({ local }) => local)
      .filter(({ from, target, typeOnly }) => !mayImport(from, target, typeOnly));
    expect(forbidden.map(describeImport)).toEqual([]);
  });

  it('makes use of every permission in the table', () => {
    const unused = Object.entries(ROWS).flatMap(([row, { may, types = [] }]) =>
      [...may, ...types]
        .filter((allowed) => !imports.some(({ from, target }) => rowOf(from) === row && target.startsWith(allowed)))
        .map((allowed) => `${row} need not import ${allowed}`),
    );
    // The three providers share one row.
    expect(unused.filter((sentence) => !sentence.startsWith('providers/'))).toEqual([]);
  });

  it('imports packages only where the table allows, and none that it does not know', () => {
    const forbidden = imports
      .filter(({ local }) => !local)
      .filter(({ from, target }) => {
        const places = PACKAGES[packageOf(target)];
        return places ? !places.some((place) => from.startsWith(place)) : !target.startsWith('node:');
      });
    expect(forbidden.map(describeImport)).toEqual([]);
  });

  it('uses only packages that are declared, all of them bundled, so that nothing else is installed', () => {
    const used = new Set(
      imports
        .filter(({ local, target }) => !local && !target.startsWith('node:'))
        .map(({ target }) => packageOf(target)),
    );
    const declared = Object.keys(packageJson.devDependencies);
    expect([...used].filter((name) => !declared.includes(name))).toEqual([]);
    expect(packageJson).not.toHaveProperty('dependencies');
  });

  it('loads a database engine only when it is asked for', () => {
    const eager = imports.filter(
      ({ target, from }) => /stores\/(sqlite|redis|postgres)\.ts$/.test(target) && !isDynamic(from, target),
    );
    expect(eager.map(describeImport)).toEqual([]);
  });

  it('has no import cycles', () => {
    expect(cycles()).toEqual([]);
  });

  it('never imports one provider into another', () => {
    const strangers = imports.filter(({ from, target }) => {
      const [own, other] = [folderOfProvider(from), folderOfProvider(target)];
      return own !== undefined && other !== undefined && own !== other;
    });
    expect(strangers.map(describeImport)).toEqual([]);
  });

  it.each(Object.keys(GLOBALS))('keeps %s out of the files that have no business with it', (name) => {
    const users = sources.filter(({ nodes }) => nodes.some((node) => usesGlobal(node, name))).map(({ file }) => file);
    expect(users.filter((file) => !GLOBALS[name]?.includes(file))).toEqual([]);
  });

  it('names a provider only in its own folder, and in the help', () => {
    const speaking = sources.filter(({ file }) => !file.startsWith('providers/') && !MAY_NAME_PROVIDERS.includes(file));
    const elsewhere = speaking.flatMap(({ file, nodes }) =>
      nodes
        .flatMap((node) => textOf(node) ?? [])
        .filter((text) => PROVIDERS.some((name) => new RegExp(`\\b${name}\\b`, 'i').test(text)))
        .map((text) => `${file} says ${JSON.stringify(text)}`),
    );
    expect(elsewhere).toEqual([]);
  });

  it.each(PROVIDERS)('does not speak of other providers in the folder of %s', (own) => {
    const inside = sources.filter(({ file }) => file.startsWith(`providers/${own}/`));
    const others = PROVIDERS.filter((one) => one !== own);
    const strange = inside
      .flatMap(({ nodes }) => nodes.flatMap((node) => textOf(node) ?? []))
      .filter((text) => others.includes(text.toLowerCase()));
    expect(inside).not.toEqual([]);
    expect(strange).toEqual([]);
  });

  it('knows no any', () => {
    expect(placesOf((node) => node.type === 'TSAnyKeyword')).toEqual([]);
  });

  it('casts nothing, besides const', () => {
    const isCast = (node: Node): boolean => {
      if (node.type === 'TSTypeAssertion') return true;
      if (node.type !== 'TSAsExpression') return false;
      const { typeAnnotation } = node;
      const name = isRecord(typeAnnotation) && isRecord(typeAnnotation['typeName']) ? typeAnnotation['typeName'] : {};
      return name['name'] !== 'const';
    };
    expect(placesOf(isCast)).toEqual([]);
  });

  it('never claims with ! that something is there', () => {
    expect(placesOf((node) => node.type === 'TSNonNullExpression' || node['definite'] === true)).toEqual([]);
  });

  it('switches no check of the compiler off', () => {
    const silenced = sources.filter(({ file }) =>
      /@ts-(ignore|expect-error|nocheck)/.test(readFileSync(join(SRC, file), 'utf8')),
    );
    expect(silenced.map(({ file }) => file)).toEqual([]);
  });
});

function read(file: string): Source {
  const program: unknown = parseAst(readFileSync(join(SRC, file), 'utf8'), { lang: 'ts' }, file);
  const nodes = nodesIn(program);
  return { file, nodes, imports: nodes.flatMap((node) => importOf(node, file) ?? []) };
}

function nodesIn(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn);
  if (!isRecord(value)) return [];
  const { type } = value;
  const below = Object.values(value).flatMap(nodesIn);
  return typeof type === 'string' ? [{ ...value, type }, ...below] : below;
}

function importOf(node: Node, from: string): Import | undefined {
  const { type, source, importKind, exportKind } = node;
  const brings = ['ImportDeclaration', 'ExportNamedDeclaration', 'ExportAllDeclaration', 'ImportExpression'];
  if (type === 'TSImportType') throw new Error(`${from}: import types at the top`);
  if (!brings.includes(type) || source === null || source === undefined) return undefined;
  const specifier = isRecord(source) ? source['value'] : undefined;
  // What is imported must be readable here, or the table holds nothing.
  if (typeof specifier !== 'string') throw new Error(`${from} imports something that only shows at run time`);
  const local = specifier.startsWith('.');
  const target = local ? relative(SRC, join(SRC, dirname(from), specifier)).replaceAll('\\', '/') : specifier;
  return { from, target, local, typeOnly: importKind === 'type' || exportKind === 'type' };
}

function isDynamic(from: string, target: string): boolean {
  const source = sources.find(({ file }) => file === from);
  return (source?.nodes ?? []).some(
    (node) => node.type === 'ImportExpression' && importOf(node, from)?.target === target,
  );
}

function rowOf(file: string): string | undefined {
  return Object.keys(ROWS)
    .filter((row) => file === row || (row.endsWith('/') && file.startsWith(row)))
    .toSorted((a, b) => b.length - a.length)[0];
}

function mayImport(from: string, target: string, typeOnly: boolean): boolean {
  const own = rowOf(from);
  if (own === undefined) return false;
  if (own.endsWith('/') && rowOf(target) === own) return true;
  const { may = [], types = [] } = ROWS[own] ?? {};
  const allowed = typeOnly ? [...may, ...types] : may;
  return allowed.some((one) => target === one || (one.endsWith('/') && target.startsWith(one)));
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier.split('/')[0] ?? specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function folderOfProvider(file: string): string | undefined {
  return /^providers\/([^/]+)\//.exec(file)?.[1];
}

/** Each ring of imports, types included, named by its files. */
function cycles(): string[] {
  const found = new Set<string>();
  const done = new Set<string>();
  const walk = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) found.add([...trail.slice(at), file].join(' -> '));
    if (at >= 0 || done.has(file)) return;
    for (const { target } of imports.filter(({ from, local }) => from === file && local))
      walk(target, [...trail, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  return [...found];
}

/** A use of a global, as `process.exit` or `f(process)`; not a property or a method that has the same name. */
function usesGlobal(node: Node, name: string): boolean {
  const isName = (value: unknown): boolean =>
    isRecord(value) && value['type'] === 'Identifier' && value['name'] === name;
  return Object.entries(node).some(([role, value]) => {
    const isLabel = ['property', 'key', 'label'].includes(role) && node['computed'] !== true;
    const ofGlobalThis = isRecord(node['object']) && node['object']['name'] === 'globalThis';
    return (!isLabel || ofGlobalThis) && (Array.isArray(value) ? value : [value]).some(isName);
  });
}

function textOf(node: Node): string | undefined {
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  const cooked = node.type === 'TemplateElement' && isRecord(node['value']) ? node['value']['cooked'] : undefined;
  return typeof cooked === 'string' ? cooked : undefined;
}

function placesOf(wrong: (node: Node) => boolean): string[] {
  return sources.flatMap(({ file, nodes }) => {
    const lines = readFileSync(join(SRC, file), 'utf8');
    return nodes.filter(wrong).map(({ start }) => `${file}:${lines.slice(0, Number(start)).split('\n').length}`);
  });
}

function describeImport({ from, target, typeOnly }: Import): string {
  return `${from} imports ${typeOnly ? 'types of ' : ''}${target}`;
}
