import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { providers } from '../src/providers/registry.ts';
import { isRecord } from '../src/text.ts';

const PROVIDERS = providers.map(({ name }) => name);

/**
 * The permitted imports below src/. The row with the longest prefix of a file's path applies, and each file needs a row. A
 * target is a file or a folder; from `types`, only types may be imported. A folder may always import itself.
 */
const ROWS: Readonly<Record<string, { readonly may: readonly string[]; readonly types?: readonly string[] }>> = {
  'main.ts': { may: ['cli/cli.ts', 'cli/start-failure.ts', 'compile-cache.ts'] },
  'compile-cache.ts': { may: [] },
  'cli/': {
    may: [
      'runtime.ts',
      'errors.ts',
      'text.ts',
      'config.ts',
      'settings.ts',
      'tenants/',
      'providers/registry.ts',
      'http/',
      'http-client/call.ts',
      'identity/reconciler.ts',
      'identity/timing.ts',
      'identity/unresolved.ts',
      'import/run.ts',
      'tools/describe-fields.ts',
      'tools/list-tools.ts',
      'tools/run-tool.ts',
      'mcp/',
      '../package.json',
    ],
    types: ['audit.ts', 'tools/tool.ts'],
  },
  'import/': {
    may: [
      'countries.ts',
      'errors.ts',
      'http-client/call.ts',
      'text.ts',
      'tools/arguments.ts',
      'tools/create-customer.ts',
      'tools/import-rows.ts',
      'tools/row-comparison.ts',
    ],
    types: ['identity/create-request.ts', 'providers/provider.ts', 'tools/tool.ts'],
  },
  'runtime.ts': {
    may: [
      'audit.ts',
      'config.ts',
      'directory/directory.ts',
      'log.ts',
      'sources.ts',
      'telemetry.ts',
      'identity/',
      'providers/registry.ts',
      'stores/open-store.ts',
      'stores/timeout.ts',
      'tools/index.ts',
    ],
    types: ['settings.ts', 'stores/store.ts', 'tools/tool.ts'],
  },
  'sources.ts': {
    may: ['config.ts', 'identity/cache.ts', 'identity/id-map.ts', 'providers/registry.ts', 'sandbox.ts'],
    types: ['http-client/proxies.ts', 'providers/provider.ts', 'settings.ts', 'stores/store.ts', 'tools/tool.ts'],
  },
  'config.ts': {
    may: ['log.ts', 'stores/open-store.ts'],
    types: ['audit.ts', 'http-client/proxies.ts', 'settings.ts'],
  },
  'settings.ts': { may: ['errors.ts'] },
  'sandbox.ts': { may: ['text.ts'] },
  'http-client/': { may: ['errors.ts', 'settings.ts', 'telemetry.ts', 'text.ts'] },
  'telemetry.ts': { may: [] },
  'http/': {
    may: [
      'config.ts',
      'errors.ts',
      'http-client/proxies.ts',
      'http-client/connection-errors.ts',
      'http-client/proxied.ts',
      'log.ts',
      'mcp/http.ts',
      'mcp/in-flight.ts',
      'mcp/message.ts',
      'mcp/method.ts',
      'mcp/modern-http.ts',
      'mcp/server.ts',
      'settings.ts',
      'text.ts',
    ],
    types: ['runtime.ts', 'tenants/', 'tools/tool.ts'],
  },
  'tenants/': {
    may: ['config.ts', 'errors.ts', 'identity/id-map.ts', 'runtime.ts', 'settings.ts', 'sources.ts', 'text.ts'],
    types: ['audit.ts', 'identity/create-once.ts', 'tools/tool.ts'],
  },
  'audit.ts': { may: ['stores/timeout.ts'], types: ['log.ts'] },
  'errors.ts': { may: [] },
  'text.ts': { may: [] },
  'countries.ts': { may: [] },
  'keyed-mutex.ts': { may: [] },
  'log.ts': { may: [] },
  'mcp/': {
    may: [
      'http-client/call.ts',
      'log.ts',
      'telemetry.ts',
      'text.ts',
      'tools/confirmation.ts',
      'tools/describe-fields.ts',
      'tools/list-tools.ts',
      'tools/run-tool.ts',
      'mcp/view/view.html',
    ],
    types: ['tools/tool.ts'],
  },
  // The view runs in a browser.
  'mcp/view/': { may: ['text.ts'] },
  'directory/': {
    may: ['errors.ts', 'http-client/call.ts', 'identity/folding.ts', 'identity/recognition.ts', 'text.ts'],
    types: ['providers/provider.ts'],
  },
  'tools/': {
    may: [
      'countries.ts',
      'directory/',
      'errors.ts',
      'http-client/call.ts',
      'http-client/retry.ts',
      'identity/difference.ts',
      'identity/errors.ts',
      'identity/recognition.ts',
      'log.ts',
      'providers/external-id.ts',
      'text.ts',
    ],
    types: ['audit.ts', 'identity/', 'providers/provider.ts'],
  },
  'identity/': {
    may: [
      'errors.ts',
      'http-client/call.ts',
      'http-client/retry.ts',
      'text.ts',
      'keyed-mutex.ts',
      'stores/store.ts',
      'stores/timeout.ts',
    ],
    types: ['providers/provider.ts'],
  },
  'stores/': { may: ['text.ts'], types: ['settings.ts'] },
  'providers/account.ts': { may: [] },
  'providers/external-id.ts': { may: [] },
  'providers/spelling.ts': { may: [] },
  'providers/provider.ts': { may: [], types: ['http-client/', 'sandbox.ts', 'settings.ts'] },
  'providers/customer-client.ts': {
    may: ['http-client/', 'providers/replies.ts'],
    types: ['providers/account.ts', 'providers/provider.ts'],
  },
  'providers/replies.ts': {
    may: ['errors.ts', 'http-client/failures.ts', 'text.ts'],
    types: ['providers/provider.ts'],
  },
  'providers/registry.ts': {
    may: PROVIDERS.map((name) => `providers/${name}/index.ts`),
    types: ['providers/provider.ts'],
  },
  ...Object.fromEntries(PROVIDERS.map((name) => [`providers/${name}/`, aProvider()])),
};

/** The row of every provider: the port and its helpers, and never another provider. */
function aProvider() {
  return {
    may: [
      'errors.ts',
      'http-client/',
      'sandbox.ts',
      'text.ts',
      'keyed-mutex.ts',
      'providers/account.ts',
      'providers/customer-client.ts',
      'providers/external-id.ts',
      'providers/replies.ts',
      'providers/spelling.ts',
    ],
    types: ['providers/provider.ts', 'settings.ts'],
  };
}

/** Packages and restricted Node modules, with the only places that may import them. Other packages are drivers of the stores. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@modelcontextprotocol/sdk': ['mcp/sdk.ts'],
  '@hono/node-server': ['http/'],
  '@opentelemetry/api': ['telemetry.ts'],
  'env-paths': ['config.ts'],
  hono: ['http/'],
  hucre: ['import/spreadsheet.ts'],
  jose: ['http/auth.ts', 'http/issuer.ts'],
  keyv: ['identity/', 'stores/', 'sandbox.ts'],
  leven: ['import/', 'settings.ts', 'tools/arguments.ts'],
  'libphonenumber-js': ['import/phones.ts'],
  papaparse: ['import/'],
  'rate-limiter-flexible': ['http/', 'stores/', 'runtime.ts'],
  undici: ['http-client/'],
  zod: ['tools/', 'providers/'],
  'node:child_process': [],
  'node:fs': ['audit.ts', 'settings.ts', 'import/own-files.ts', 'stores/', 'tenants/tenant-file.ts'],
  'node:http': ['sandbox.ts'],
  'node:https': [],
  'node:process': ['main.ts'],
  'node:sqlite': ['stores/sqlite.ts', 'stores/sqlite-file.ts'],
};

/** Restricted globals, with the only places that may use them. */
const GLOBALS: Readonly<Record<string, readonly string[]>> = {
  console: [],
  process: ['main.ts', 'stores/sqlite-file.ts'],
  fetch: ['http/issuer.ts'],
};

/** Names that both our own answers and providers' documents use, and names from zod. */
const OUR_FIELDS = ['external_id', 'maxLength'];

/** The limits of CONTRIBUTING.md. */
const MAX_FILE_LINES = 300;
const MAX_FUNCTION_LINES = 50;
const MAX_PARAMETERS = 3;
const FUNCTIONS = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];

interface Import {
  readonly from: string;
  /** The specifier, or the path below src/ for a file of this project. */
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
  it('is read completely', () => {
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

  it('uses every permission in the table', () => {
    const unused = Object.entries(ROWS).flatMap(([row, { may, types = [] }]) =>
      [...may, ...types]
        .filter((allowed) => !imports.some(({ from, target }) => rowOf(from) === row && target.startsWith(allowed)))
        .map((allowed) => `${row} need not import ${allowed}`),
    );
    // The providers share one row.
    expect(unused.filter((sentence) => !sentence.startsWith('providers/'))).toEqual([]);
  });

  it('imports packages only where the table allows, and a package that is not in it only into a store', () => {
    const forbidden = imports
      .filter(({ local }) => !local)
      .filter(({ from, target }) => {
        const places = PACKAGES[packageOf(target)] ?? (target.startsWith('node:') ? [''] : ['stores/']);
        return !places.some((place) => from.startsWith(place));
      });
    expect(forbidden.map(describeImport)).toEqual([]);
  });

  it('uses only declared packages, all of which are bundled, so that no others are installed', () => {
    const used = new Set(
      imports
        .filter(({ local, target }) => !local && !target.startsWith('node:'))
        .map(({ target }) => packageOf(target)),
    );
    const declared = Object.keys(packageJson.devDependencies);
    expect([...used].filter((name) => !declared.includes(name))).toEqual([]);
    expect(packageJson).not.toHaveProperty('dependencies');
  });

  it('loads a database driver only on demand', () => {
    const eager = imports.filter(
      ({ from, target, typeOnly }) =>
        from === 'stores/open-store.ts' && target !== 'stores/memory.ts' && !typeOnly && !isDynamic(from, target),
    );
    expect(eager.map(describeImport)).toEqual([]);
  });

  it('has no import cycles', () => {
    expect(cycles()).toEqual([]);
  });

  it('never imports one provider into another', () => {
    const foreign = imports.filter(({ from, target }) => {
      const [own, other] = [folderOfProvider(from), folderOfProvider(target)];
      return own !== undefined && other !== undefined && own !== other;
    });
    expect(foreign.map(describeImport)).toEqual([]);
  });

  it.each(Object.keys(GLOBALS))('restricts %s to the permitted files', (name) => {
    const users = sources.filter(({ nodes }) => nodes.some((node) => usesGlobal(node, name))).map(({ file }) => file);
    expect(users.filter((file) => !GLOBALS[name]?.includes(file))).toEqual([]);
  });

  it('names a provider only in its own folder', () => {
    const speaking = files.filter((file) => folderOfProvider(file) === undefined && file !== 'providers/registry.ts');
    // Comments and identifiers count too.
    const named = new RegExp(`\\b(${PROVIDERS.join('|')})\\b`, 'i');
    const elsewhere = speaking.flatMap((file) =>
      readFileSync(join(SRC, file), 'utf8')
        .split('\n')
        .filter((line) => named.test(line))
        .map((line) => `${file} says ${line.trim()}`),
    );
    expect(elsewhere).toEqual([]);
  });

  it("names a field of one provider's documents only in the folder of that provider", () => {
    const fields = PROVIDERS.map((name) => new Set(fieldsIn(`providers/${name}/documents.ts`)));
    const elsewhere = PROVIDERS.flatMap((name, index) =>
      [...(fields[index] ?? [])]
        .filter((field) => fields.filter((own) => own.has(field)).length === 1)
        .flatMap((field) =>
          sources
            .filter(({ file }) => !file.startsWith(`providers/${name}/`))
            .filter(({ nodes }) => nodes.some((node) => names(node, field)))
            .map(({ file }) => `${file} names ${field} of ${name}`),
        ),
    );
    expect(fields.every(({ size }) => size > 2)).toBe(true);
    expect(elsewhere).toEqual([]);
  });

  it.each(PROVIDERS)('does not mention other providers in the folder of %s', (own) => {
    const inside = sources.filter(({ file }) => file.startsWith(`providers/${own}/`));
    const others = PROVIDERS.filter((one) => one !== own);
    const strange = inside
      .flatMap(({ nodes }) => nodes.flatMap((node) => textOf(node) ?? []))
      .filter((text) => others.includes(text.toLowerCase()));
    expect(inside).not.toEqual([]);
    expect(strange).toEqual([]);
  });

  it('keeps files and functions short, and parameters few', () => {
    // The text behind the last line break is not a line.
    const long = files.filter((file) => linesOf(file, 0, Infinity) - 1 > MAX_FILE_LINES);
    const functions = sources.flatMap(({ file, nodes }) =>
      nodes
        .filter((node) => FUNCTIONS.includes(node.type) && isRecord(node['body']))
        .filter(
          ({ start, end, params }) =>
            linesOf(file, Number(start), Number(end)) > MAX_FUNCTION_LINES ||
            (Array.isArray(params) && params.length > MAX_PARAMETERS),
        )
        .map(({ start }) => `${file}:${linesOf(file, 0, Number(start))}`),
    );
    expect([...long, ...functions]).toEqual([]);
  });

  it('sets a deadline only in http-client/call.ts', () => {
    const setsDeadline = ({ type, properties }: Node): boolean =>
      type === 'ObjectExpression' &&
      Array.isArray(properties) &&
      properties.some(
        (property) => isRecord(property) && isRecord(property['key']) && property['key']['name'] === 'deadline',
      );
    const setters = sources.filter(({ nodes }) => nodes.some(setsDeadline)).map(({ file }) => file);
    expect(setters).toEqual(['http-client/call.ts']);
  });

  it('uses no any', () => {
    expect(placesOf((node) => node.type === 'TSAnyKeyword')).toEqual([]);
  });

  it('has no casts except as const', () => {
    const isCast = (node: Node): boolean => {
      if (node.type === 'TSTypeAssertion') return true;
      if (node.type !== 'TSAsExpression') return false;
      const { typeAnnotation } = node;
      const name = isRecord(typeAnnotation) && isRecord(typeAnnotation['typeName']) ? typeAnnotation['typeName'] : {};
      return name['name'] !== 'const';
    };
    expect(placesOf(isCast)).toEqual([]);
  });

  it('has no non-null assertions', () => {
    expect(placesOf((node) => node.type === 'TSNonNullExpression' || node['definite'] === true)).toEqual([]);
  });

  it('disables no compiler check', () => {
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
  // The specifier must be a literal; otherwise the table cannot cover it.
  if (typeof specifier !== 'string') throw new Error(`${from} has an import whose specifier is known only at run time`);
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

/** Each import cycle, including type imports, as a list of its files. */
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

/** Whether a node uses a global, as in `process.exit` or `f(process)`; not a property or a method of the same name. */
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

/** Fields that cannot be confused with an ordinary word: names of two words, or with a capital letter. */
function fieldsIn(file: string): string[] {
  const nodes = sources.find((source) => source.file === file)?.nodes ?? [];
  return nodes
    .flatMap(({ type, key }) => (type === 'Property' && isRecord(key) ? [String(key['name'] ?? key['value'])] : []))
    .filter((field) => /[a-z][_A-Z]/.test(field) && !OUR_FIELDS.includes(field));
}

/** Whether a node names a field, in a string or as a property, in any case and with or without underscores. */
function names(node: Node, field: string): boolean {
  const plain = (text: string): string => text.replaceAll('_', '').toLowerCase();
  const said = textOf(node) ?? (node.type === 'Identifier' ? String(node['name']) : '');
  return plain(said) === plain(field);
}

/** How many lines a part of a file touches. */
function linesOf(file: string, start: number, end: number): number {
  return readFileSync(join(SRC, file), 'utf8').slice(start, end).split('\n').length;
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
