import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { AuditTarget } from './audit.ts';
import type { Proxies } from './http-client/proxies.ts';
import { logLevels, type LogLevel } from './log.ts';
import type { Settings, Variable } from './settings.ts';
import { storeAddresses } from './stores/open-store.ts';

/** The server's own settings, in the order of a form. Each provider's settings are in its folder. */
export const variables = {
  sandbox: {
    name: 'CUSTOMERS_SANDBOX',
    meaning: 'Simulate the provider on this machine. Nothing real is read or changed. Turn it off to use your account.',
    fallback: false,
  },
  provider: {
    name: 'CUSTOMERS_PROVIDER',
    meaning: 'Your invoicing system. Over HTTP, you can name several, separated by commas.',
  },
  readOnly: {
    name: 'CUSTOMERS_READ_ONLY',
    meaning: 'Offer only the tools that read. Overrides all other settings.',
    fallback: false,
  },
  confirm: {
    name: 'CUSTOMERS_CONFIRM',
    meaning: 'destructive: ask the user before anything that cannot be undone. never: do not ask.',
    choices: ['destructive', 'never'],
    choicesNamed: true,
    fallback: 'destructive',
  },
  tools: {
    name: 'CUSTOMERS_TOOLS',
    meaning: 'Names of the tools to offer, separated by commas. Default: all tools.',
  },
  store: {
    name: 'CUSTOMERS_STORE',
    meaning: `The store for external ids and open creates: ${storeAddresses}. Default: a SQLite file in your state folder.`,
    secret: true,
  },
  timeoutMs: {
    name: 'CUSTOMERS_TIMEOUT_MS',
    meaning: 'Time limit of one tool call, in milliseconds.',
    fallback: 25_000,
    min: 1_000,
    max: 600_000,
  },
  log: {
    name: 'CUSTOMERS_LOG',
    meaning: 'How much to log on stderr, as JSON lines.',
    choices: logLevels,
    fallback: 'warn',
  },
  account: {
    name: 'CUSTOMERS_ACCOUNT',
    meaning:
      'Your name for the account, for providers that identify accounts only by API key. With it, stored external ids remain valid after the key changes.',
    rare: true,
  },
  audit: {
    name: 'CUSTOMERS_AUDIT',
    meaning:
      'Where to record each write and each consent as a JSON line without customer data: stderr, or file:PATH with an absolute path. Default: nowhere.',
    rare: true,
  },
  auditRequired: {
    name: 'CUSTOMERS_AUDIT_REQUIRED',
    meaning: 'Refuse a write if the audit trail cannot record it.',
    fallback: false,
    rare: true,
  },
} as const satisfies Readonly<Record<string, Variable>>;

/** Settings that apply only to a server over HTTP. */
export const httpVariables = {
  token: {
    name: 'CUSTOMERS_HTTP_TOKEN',
    meaning:
      'Bearer token that callers must send, at least 32 characters; several, separated by commas, while one replaces another. Default: a token generated for each session.',
    secret: true,
    header: true,
  },
  issuer: {
    name: 'CUSTOMERS_OAUTH_ISSUER',
    meaning: 'The issuer whose JWTs are accepted instead of the token.',
  },
  audience: {
    name: 'CUSTOMERS_OAUTH_AUDIENCE',
    meaning: 'The audience that the JWTs must name, which is the address at which clients reach the server.',
  },
  allowedHosts: {
    name: 'CUSTOMERS_ALLOWED_HOSTS',
    meaning: 'Host names at which clients reach the server, in addition to loopback, separated by commas.',
  },
  allowedOrigins: {
    name: 'CUSTOMERS_ALLOWED_ORIGINS',
    meaning: 'Origins of web pages that may call the server, in addition to loopback, separated by commas.',
  },
  // Users never reach this rate; it stops a runaway agent.
  rate: {
    name: 'CUSTOMERS_HTTP_RATE',
    meaning: 'Messages per minute that one caller may send. Replicas that share Redis or PostgreSQL count together.',
    fallback: 60_000,
    min: 1,
    max: 100_000_000,
  },
  tenants: {
    name: 'CUSTOMERS_TENANTS',
    meaning: 'A JSON file with the businesses to serve, each with the settings in which it differs.',
  },
  tenantClaim: {
    name: 'CUSTOMERS_TENANT_CLAIM',
    meaning: 'The claim in which a JWT names the tenants of its caller.',
    fallback: 'tenant',
  },
} as const satisfies Readonly<Record<string, Variable>>;

/** Variables that other programs on the machine also use, including in lower case. */
export const proxyVariables = {
  https: {
    name: 'HTTPS_PROXY',
    meaning:
      'The proxy for requests to providers, token endpoints and issuers, such as http://proxy.example:3128. Also read as https_proxy.',
    secret: true,
  },
  http: {
    name: 'HTTP_PROXY',
    meaning: 'Used if HTTPS_PROXY is not set. Also read as http_proxy.',
    secret: true,
  },
  exceptions: {
    name: 'NO_PROXY',
    meaning:
      'Hosts to reach without a proxy, separated by commas. Addresses on this machine never use one. Also read as no_proxy.',
  },
} as const satisfies Readonly<Record<string, Variable>>;

/** The values of the server's own settings. */
export interface Config {
  /** The names in CUSTOMERS_PROVIDER; empty if it is not set. */
  readonly providers: readonly string[];
  readonly sandbox: boolean;
  /** The address of the store; `undefined` for the default store. */
  readonly store: string | undefined;
  readonly readOnly: boolean;
  /** The tools to offer; `undefined` for all. */
  readonly tools: readonly string[] | undefined;
  readonly confirm: 'destructive' | 'never';
  readonly timeoutMs: number;
  readonly log: LogLevel;
  readonly account: string | undefined;
  /** `undefined`: writes are not recorded. */
  readonly audit: { readonly target: AuditTarget; readonly required: boolean } | undefined;
}

/** Reads the server's settings; problems are collected in `settings`, whose `check` throws them. */
export function readConfig(settings: Settings): Config {
  return {
    providers: settings.list(variables.provider).map((name) => name.toLowerCase()),
    sandbox: settings.flag(variables.sandbox),
    store: readStore(settings),
    readOnly: settings.flag(variables.readOnly),
    tools: settings.has(variables.tools) ? settings.list(variables.tools) : undefined,
    confirm: settings.choice(variables.confirm),
    timeoutMs: settings.wholeNumber(variables.timeoutMs),
    log: settings.choice(variables.log),
    account: settings.optional(variables.account),
    audit: readAudit(settings),
  };
}

function readAudit(settings: Settings): Config['audit'] {
  const { audit, auditRequired } = variables;
  const value = settings.optional(audit);
  const required = settings.flag(auditRequired);
  if (value === 'stderr') return { target: { kind: 'stderr' }, required };
  const path = /^file:(?<path>.+)$/s.exec(value ?? '')?.groups?.['path'] ?? '';
  if (isAbsolute(path)) return { target: { kind: 'file', path }, required };
  if (value !== undefined)
    settings.problem(
      `${audit.name} must be stderr, or file: with an absolute path, such as file:/var/log/customers-mcp/audit.jsonl.`,
    );
  else if (required && !settings.has(audit))
    settings.problem(`${auditRequired.name} is true, but ${audit.name} is not set. Set it to file:PATH or stderr.`);
  return undefined;
}

/** The configured proxies; a problem is collected in `settings`. */
export function readProxies(settings: Settings): Proxies | undefined {
  const [http, https] = [readProxy(settings, proxyVariables.http), readProxy(settings, proxyVariables.https)];
  if (!http && !https) return undefined;
  return { http, https, exceptions: settings.optional(spelled(settings, proxyVariables.exceptions)) ?? '' };
}

function readProxy(settings: Settings, variable: Variable): Proxies['http'] {
  const found = spelled(settings, variable);
  const value = settings.optional(found);
  if (value === undefined) return undefined;
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  if (url && ['http:', 'https:'].includes(url.protocol) && isDecodable(url.username + url.password))
    return { setting: found.name, url: url.href };
  settings.problem(`${found.name} must be the http or https address of a proxy, such as http://proxy.example:3128.`);
  return undefined;
}

/** Lower case comes first, as in other programs. */
function spelled(settings: Settings, variable: Variable): Variable {
  const lower = { ...variable, name: variable.name.toLowerCase() };
  return settings.has(lower) ? lower : variable;
}

function isDecodable(text: string): boolean {
  try {
    // The result is used, because the bundler drops a call without effect.
    return decodeURIComponent(text).length >= 0;
  } catch {
    return false;
  }
}

const NO_HOME =
  'The home folder cannot be found, so there is no place for the default store; set CUSTOMERS_STORE, for example to sqlite:/var/lib/customers.sqlite.';

function readStore(settings: Settings): string | undefined {
  const address = settings.optional(variables.store);
  const belowHome = /^sqlite:(?:\/\/)?~\/(?<path>.*)$/s.exec(address ?? '')?.groups?.['path'];
  if (belowHome === undefined) return address;
  const home = findHome();
  if (home === undefined) settings.problem(NO_HOME);
  return `sqlite:${join(home ?? '', belowHome)}`;
}

/** The address of the default store: a file in the folder where the system keeps application state. */
export async function defaultStore(settings: Settings): Promise<string> {
  if (findHome() === undefined) {
    settings.problem(NO_HOME);
    return 'memory:';
  }
  // Imported late, because it looks for the home folder when it is loaded and throws if there is none.
  const { default: envPaths } = await import('env-paths');
  // The log folder of env-paths is the state folder of XDG: persistent and local to this machine.
  return `sqlite:${join(envPaths('customers-mcp', { suffix: '' }).log, 'customers.sqlite')}`;
}

/** `undefined` if HOME is empty, or if it is not set and the user is not in the user database. */
function findHome(): string | undefined {
  try {
    return homedir() || undefined;
  } catch {
    return undefined;
  }
}
