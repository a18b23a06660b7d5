import { readFileSync } from 'node:fs';
import { proxyVariables, readConfig, variables } from '../config.ts';
import { ConfigError } from '../errors.ts';
import { allVariables, refuseUnknownTools, type AccountSettings } from '../runtime.ts';
import { nearestTo, Settings, type Environment } from '../settings.ts';
import { chooseSources } from '../sources.ts';
import { isRecord } from '../text.ts';

/** A token with which callers reach one tenant. */
interface TenantToken {
  /** SHA-256 of the token, as lower-case hex. */
  readonly sha256: string;
  readonly scopes: readonly string[];
}

/** A business in the file, with its settings, valid and not yet connected. */
export interface TenantEntry {
  readonly name: string;
  readonly title: string;
  readonly tokens: readonly TenantToken[];
  readonly settings: AccountSettings;
  /** Equal for entries that need no new connection. */
  readonly fingerprint: string;
}

export interface FileOptions {
  readonly path: string;
  readonly environment: Environment;
  /** The scopes that a token can have. */
  readonly scopes: readonly string[];
  /** Whether callers can also show tokens of an issuer. */
  readonly hasIssuer: boolean;
}

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
/** What a name may be, as a clause. */
export const TENANT_NAMES =
  'a name consists of 1 to 64 lower-case letters, digits, ".", "_" and "-", and begins and ends with a letter or digit';

/** A name is part of an address and of the keys in the store. */
export function isTenantName(name: string): boolean {
  return NAME.test(name);
}

const SHA256 = /^[0-9a-f]{64}$/i;

/** Settings of the whole server. */
const NOT_OF_A_TENANT: readonly string[] = [variables.store, variables.log, ...Object.values(proxyVariables)].map(
  ({ name }) => name,
);
const isOfServer = (name: string): boolean =>
  NOT_OF_A_TENANT.includes(name) || name.startsWith('CUSTOMERS_HTTP_') || SERVER_ONLY.test(name);
const SERVER_ONLY = /^CUSTOMERS_(OAUTH|ALLOWED|TENANT|AUDIT)/;

const SETTINGS = allVariables
  .map(({ name }) => name)
  .filter((name) => name !== variables.account.name && !isOfServer(name));

/**
 * Reads the file of tenants. An entry is the settings in which a tenant differs from the environment, under the same names.
 * @throws ConfigError with all problems of all entries.
 */
export function readTenantFile(options: FileOptions): ReadonlyMap<string, TenantEntry> {
  const { file, repeated } = parse(options.path);
  const ofServer = problemsOf(options.environment);
  const problems = [
    ...repeated.map((name) => `CUSTOMERS_TENANTS has ${shown(name)} twice in the same object.`),
    ...sharedTokens(file),
  ];
  const entries = new Map<string, TenantEntry>();
  for (const [name, value] of Object.entries(file)) {
    const own: string[] = [];
    const problem = (sentence: string): void => void (ofServer.includes(sentence) || own.push(sentence));
    const entry = readEntry(name, value, { options, problem });
    problems.push(...own.map((sentence) => `Tenant ${shown(name)}: ${sentence}`));
    if (entry) entries.set(name, entry);
  }
  if (Object.keys(file).length === 0) problems.push('CUSTOMERS_TENANTS names a file without a tenant.');
  if (problems.length > 0) throw new ConfigError(problems);
  return entries;
}

/** The bearer tokens of all tenants, by their hash. */
export function tokensOf(
  entries: ReadonlyMap<string, TenantEntry>,
): ReadonlyMap<string, { readonly tenant: string; readonly scopes: readonly string[] }> {
  return new Map(
    [...entries.values()].flatMap(({ name, tokens }) =>
      tokens.map(({ sha256, scopes }) => [sha256, { tenant: name, scopes }] as const),
    ),
  );
}

/** The problems of the server's own settings, which every tenant would repeat. */
function problemsOf(environment: Environment): readonly string[] {
  const settings = new Settings(environment);
  readConfig(settings);
  return settings.problems;
}

function parse(path: string): { readonly file: Readonly<Record<string, unknown>>; readonly repeated: string[] } {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch {
    throw new ConfigError(['CUSTOMERS_TENANTS names a file that cannot be read.']);
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const file: unknown = JSON.parse(text);
    if (isRecord(file)) return { file, repeated: repeatedNames(text) };
  } catch {
    // Reported below.
  }
  throw new ConfigError([
    'CUSTOMERS_TENANTS must name a JSON file in UTF-8, such as {"acme": {"title": "Acme LLC", "LAYER_BUSINESS_ID": "…"}}.',
  ]);
}

/** The names that an object of a JSON text has twice: a parser keeps the last and drops a whole tenant without a word. */
function repeatedNames(json: string): string[] {
  const open: Set<string>[] = [];
  const repeated: string[] = [];
  let last = '';
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}:]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (token !== ':') last = token;
    else {
      const name = String(JSON.parse(last));
      if (open.at(-1)?.has(name)) repeated.push(name);
      open.at(-1)?.add(name);
    }
  }
  return repeated;
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}

interface Reading {
  readonly options: FileOptions;
  problem(sentence: string): void;
}

function readEntry(name: string, value: unknown, { options, problem }: Reading): TenantEntry | undefined {
  if (!isTenantName(name)) problem(`${TENANT_NAMES}.`);
  if (!isRecord(value)) return void problem('must be an object of settings.');
  const { title = name, tokens: given = [], ...settings } = value;
  if (typeof title !== 'string' || title.trim() === '') problem('title must be a text.');
  const tokens = readTokens(given, options.scopes, problem);
  if (Array.isArray(given) && given.length === 0 && !options.hasIssuer)
    problem('has no tokens, and CUSTOMERS_OAUTH_ISSUER is not set, so no caller could reach it.');
  const own = readOwn(settings, problem);
  const account = readAccount({ name, title }, { ...without(options.environment, own), ...own }, problem);
  return account && { name, title: String(title), tokens, ...account };
}

function readTokens(given: unknown, scopes: readonly string[], problem: Reading['problem']): TenantToken[] {
  if (!Array.isArray(given)) {
    problem('tokens must be a list such as [{"sha256": "…", "scopes": ["customers:read"]}].');
    return [];
  }
  return given.flatMap((token: unknown, index) => {
    const { sha256, scopes: own = scopes, ...others } = isRecord(token) ? token : {};
    const where = `tokens[${index}]`;
    for (const other of Object.keys(others)) problem(`${where} has an unknown member ${JSON.stringify(other)}.`);
    if (typeof sha256 !== 'string' || !SHA256.test(sha256)) {
      problem(
        `${where}.sha256 must be the SHA-256 of the token as 64 hex digits; customers-mcp http --new-token makes one.`,
      );
      return [];
    }
    const known = Array.isArray(own) ? own.filter((scope) => scopes.includes(scope)).map(String) : [];
    if (!Array.isArray(own) || known.length === 0 || known.length < own.length)
      problem(`${where}.scopes must be a list of ${scopes.join(' and ')}.`);
    return [{ sha256: sha256.toLowerCase(), scopes: known }];
  });
}

/** The entry's settings as an environment. */
function readOwn(settings: Readonly<Record<string, unknown>>, problem: Reading['problem']): Environment {
  const known = SETTINGS.flatMap((name) => [name, `${name}_FILE`]);
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => {
      if (known.includes(name)) {
        if (['string', 'number', 'boolean'].includes(typeof value)) return [[name, String(value)]];
        problem(`${name} must be a text.`);
      } else if (name.replace(/_FILE$/, '') === variables.account.name) {
        problem(`${name} cannot be set for a tenant, whose name is that of its account.`);
      } else if (isOfServer(name.replace(/_FILE$/, ''))) {
        problem(`${name} is a setting of the whole server; set it in the environment.`);
      } else {
        problem(`${name} is not a setting; the nearest is ${nearestTo(name, [...SETTINGS, 'title', 'tokens'])}.`);
      }
      return [];
    }),
  );
}

/** The environment without what the entry replaces, in either spelling. */
function without(environment: Environment, own: Environment): Environment {
  const replaced = new Set(Object.keys(own).map((name) => name.replace(/_FILE$/, '')));
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !replaced.has(name.replace(/_FILE$/, ''))));
}

function readAccount(
  { name, title }: Readonly<Record<'name' | 'title', unknown>>,
  environment: Environment,
  problem: Reading['problem'],
): Pick<TenantEntry, 'settings' | 'fingerprint'> | undefined {
  const settings = new Settings(environment);
  // The tenant's name identifies its records, so that they remain valid when a key changes.
  const config = { ...readConfig(settings), account: String(name) };
  const [source] = chooseSources(settings, config, false);
  // Otherwise an entry without settings would be served by a simulation.
  if (config.providers.length === 0 && !config.sandbox) settings.problem('CUSTOMERS_PROVIDER is not set.');
  refuseUnknownTools(settings, config);
  settings.problems.forEach(problem);
  if (settings.problems.length > 0) return undefined;
  return { settings: { config, source }, fingerprint: JSON.stringify([title, ...settings.values]) };
}

/** A token reaches one tenant only; otherwise the address would decide where a write goes. */
function sharedTokens(file: Readonly<Record<string, unknown>>): string[] {
  const owners = new Map<string, string>();
  return Object.entries(file).flatMap(([name, entry]) => {
    const tokens: unknown[] = isRecord(entry) && Array.isArray(entry['tokens']) ? entry['tokens'] : [];
    return tokens.flatMap((token) => {
      const sha256 = isRecord(token) ? String(token['sha256']).toLowerCase() : '';
      const owner = owners.get(sha256);
      if (!SHA256.test(sha256)) return [];
      owners.set(sha256, name);
      if (owner === undefined) return [];
      if (owner === name) return [`Tenant ${shown(name)}: tokens has the same token twice.`];
      return [`Tenants ${shown(owner)} and ${shown(name)} share a token.`];
    });
  });
}
