import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import envPaths from 'env-paths';
import { ConfigError } from './errors.ts';
import { logLevels, type LogLevel } from './log.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What concerns the server whatever the provider. The providers' own settings live with the providers. */
export interface Config {
  /** The names in CUSTOMERS_PROVIDER. None: it is the sandbox. */
  readonly providers: readonly string[];
  readonly sandbox: boolean;
  readonly store: string;
  readonly readOnly: boolean;
  /** Names of the only tools to offer. */
  readonly tools: readonly string[] | undefined;
  readonly confirm: 'destructive' | 'never';
  readonly timeoutMs: number;
  readonly log: LogLevel;
}

/** What some desktop hosts pass on for a field of their form that was left empty: the placeholder of the manifest. */
const LEFT_EMPTY = /^\$\{user_config\.\w+\}$/;

/**
 * Reads settings and gathers everything that is wrong with them, so that the person hears all of it at once.
 * An empty string counts as unset: desktop hosts fill the environment from forms.
 */
export class Settings {
  readonly #environment: Environment;
  readonly #problems: string[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The value, or for a secret the content of the file that `NAME_FILE` points to. */
  optional(name: string): string | undefined {
    const value = this.#given(name);
    const file = this.#given(`${name}_FILE`);
    if (file === undefined) return value;
    if (value !== undefined) {
      this.problem(`${name} and ${name}_FILE are both set; keep one of them.`);
      return value;
    }
    try {
      const content = readFileSync(file, 'utf8').trim();
      if (content === '') this.problem(`${name}_FILE names a file that is empty.`);
      return content || undefined;
    } catch {
      this.problem(`${name}_FILE names a file that cannot be read.`);
      return undefined;
    }
  }

  required(name: string, instead = ''): string {
    const value = this.optional(name);
    if (value === undefined && !this.has(name)) this.problem(`${name} is not set${instead}.`);
    return value ?? '';
  }

  /** A value that goes into a header as it is. */
  header(name: string, value: string | undefined): string {
    if (value !== undefined && !/^[\u0021-\u007e]*$/.test(value)) {
      this.problem(
        `${name} holds characters that cannot be sent: it must be one line of plain letters, digits and signs, without spaces.`,
      );
    }
    return value ?? '';
  }

  /** Whether a variable is set, by itself or as a file, whatever its content. */
  has(name: string): boolean {
    return [name, `${name}_FILE`].some((key) => this.#given(key) !== undefined);
  }

  #given(name: string): string | undefined {
    const value = this.#environment[name]?.trim() ?? '';
    return value === '' || LEFT_EMPTY.test(value) ? undefined : value;
  }

  /** Values separated by commas. */
  list(name: string): readonly string[] {
    const values = this.optional(name)?.split(',') ?? [];
    return values.map((value) => value.trim()).filter(Boolean);
  }

  choice<const T extends string>(name: string, choices: readonly T[], standard: T): T {
    const value = this.optional(name);
    if (value === undefined) return standard;
    const choice = choices.find((one) => one === value.toLowerCase());
    if (choice === undefined) this.problem(`${name} must be one of ${choices.join(', ')}.`);
    return choice ?? standard;
  }

  /**
   * An address: https, or http where it stays on this machine. Anything else would send the credentials in the clear.
   * It may be given with or without the `version` part that the provider's paths begin with.
   */
  url(name: string, standard: string, version = ''): string {
    const value = this.optional(name);
    if (value === undefined) return standard;
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
    if (!url || !safe || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
      this.problem(`${name} must be an https address (http only on this machine) without user, query or fragment.`);
      return standard;
    }
    const base = url.href.replace(/\/+$/, '');
    return version !== '' && base.endsWith(version) ? base.slice(0, -version.length) : base;
  }

  wholeNumber(name: string, least: number, most: number, standard: number): number {
    const value = this.optional(name);
    if (value === undefined) return standard;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    this.problem(`${name} must be a whole number from ${least} to ${most}.`);
    return standard;
  }

  problem(sentence: string): void {
    this.#problems.push(sentence);
  }

  /** @throws ConfigError naming everything that was found wrong. */
  check(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }
}

/** Reads the server's settings; problems are gathered in `settings`, to be thrown by its `check`. */
export function readConfig(settings: Settings): Config {
  return {
    providers: settings.list('CUSTOMERS_PROVIDER').map((name) => name.toLowerCase()),
    sandbox: settings.choice('CUSTOMERS_SANDBOX', ['true', 'false'], 'false') === 'true',
    store: settings.optional('CUSTOMERS_STORE') ?? defaultStore(),
    readOnly: settings.choice('CUSTOMERS_READ_ONLY', ['true', 'false'], 'false') === 'true',
    tools: settings.has('CUSTOMERS_TOOLS') ? settings.list('CUSTOMERS_TOOLS') : undefined,
    confirm: settings.choice('CUSTOMERS_CONFIRM', ['destructive', 'never'], 'destructive'),
    timeoutMs: settings.wholeNumber('CUSTOMERS_TIMEOUT_MS', 1_000, 600_000, 25_000),
    log: settings.choice('CUSTOMERS_LOG', logLevels, 'warn'),
  };
}

function defaultStore(): string {
  // The log folder is where env-paths puts what XDG calls state: kept, local to this machine, not precious.
  return `sqlite:${join(envPaths('customers-mcp', { suffix: '' }).log, 'customers.sqlite')}`;
}

/** Whether a host name or address stays on this machine. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
