import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import leven from 'leven';
import { ConfigError } from './errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One environment variable, with everything that the reader, the help, the README, manifest.json and server.json need. */
export interface Variable {
  readonly name: string;
  /** Complete sentences for the user who fills in a form; the facts in the other members are appended. */
  readonly meaning: string;
  /** The default; its type makes the variable a text, a number or a switch. */
  readonly fallback?: string | number | boolean;
  readonly choices?: readonly string[];
  /** The meaning names the choices already. */
  readonly choicesNamed?: true;
  readonly min?: number;
  readonly max?: number;
  /** Required for an account at the provider, unless the variable named in `or` is set. */
  readonly required?: true;
  readonly or?: string;
  /** The value contains a password, a key or a token. */
  readonly secret?: true;
  /** The value is sent unchanged in a header. */
  readonly header?: true;
  /** Rarely needed, so forms show it last. */
  readonly rare?: true;
}

interface ChoiceVariable<T extends string> extends Variable {
  readonly choices: readonly T[];
  readonly fallback: T;
}

interface FlagVariable extends Variable {
  readonly fallback: boolean;
}

interface NumberVariable extends Variable {
  readonly fallback: number;
  readonly min: number;
  readonly max: number;
}

/** The placeholder of the manifest, which some desktop hosts pass for an empty field of their form. */
const LEFT_EMPTY = /^\$\{user_config\.\w+\}$/;
/** The prefix of this server's own variables. */
const OWN_PREFIX = 'CUSTOMERS_';
/** The prefix of the test suite's variables, which a developer may have exported. */
const SUITE_PREFIX = 'CUSTOMERS_TEST_';
/** The largest edit distance at which an unknown variable counts as a misspelled provider setting. */
const MAX_TYPOS = 2;

/**
 * Reads settings and collects all problems, so that the operator sees them together. An empty string counts as unset, because
 * desktop hosts fill the environment from forms.
 */
export class Settings {
  readonly #environment: Environment;
  readonly #problems: string[] = [];
  readonly #values = new Map<string, string | undefined>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The value, or the content of the file that `NAME_FILE` points to. */
  optional({ name, header }: Variable): string | undefined {
    const value = this.#value(name);
    this.#values.set(name, value);
    if (header && value !== undefined && !/^[\u0021-\u007e]*$/.test(value)) {
      this.problem(
        `${name} contains characters that cannot be sent in a header: use one line of ASCII letters, digits and symbols, without spaces.`,
      );
    }
    return value;
  }

  /** `because` completes the sentence "NAME is not set". */
  required(variable: Variable, because = ''): string {
    const value = this.optional(variable);
    if (value === undefined && !this.has(variable)) {
      const instead = variable.or === undefined ? '' : ` (${variable.or} can replace it)`;
      this.problem(`${variable.name} is not set${because || instead}.`);
    }
    return value ?? '';
  }

  /** Whether a variable is set, directly or as a file, regardless of its content. */
  has({ name }: Variable): boolean {
    return [name, `${name}_FILE`].some((key) => this.#given(key) !== undefined);
  }

  /** Values separated by commas. */
  list(variable: Variable): readonly string[] {
    const values = this.optional(variable)?.split(',') ?? [];
    return values.map((value) => value.trim()).filter(Boolean);
  }

  choice<const T extends string>(variable: ChoiceVariable<T>): T {
    const { name, choices, fallback } = variable;
    const value = this.optional(variable);
    if (value === undefined) return fallback;
    const choice = choices.find((one) => one === value.toLowerCase());
    if (choice === undefined) this.problem(`${name} must be one of ${choices.join(', ')}.`);
    return choice ?? fallback;
  }

  flag(variable: FlagVariable): boolean {
    const fallback = variable.fallback ? 'true' : 'false';
    return this.choice({ ...variable, choices: ['true', 'false'], fallback }) === 'true';
  }

  /**
   * A base URL: https, or http on this machine. Any other would send the credentials unencrypted. It may end with the `version`
   * segment with which the provider's paths begin.
   */
  url(variable: Variable, fallback: string, version = ''): string {
    const value = this.optional(variable);
    if (value === undefined) return fallback;
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
    if (!url || !safe || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
      this.problem(
        `${variable.name} must be an https address (http only on this machine) without user, query or fragment.`,
      );
      return fallback;
    }
    const base = url.href.replace(/\/+$/, '');
    return version !== '' && base.endsWith(version) ? base.slice(0, -version.length) : base;
  }

  wholeNumber(variable: NumberVariable): number {
    const { name, min, max, fallback } = variable;
    const value = this.optional(variable);
    if (value === undefined) return fallback;
    const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    this.problem(`${name} must be a whole number from ${min} to ${max}.`);
    return fallback;
  }

  /**
   * Rejects variables that would be ignored: every unknown variable with the server's prefix and, with a provider's prefix,
   * probable typing errors. Others belong to other programs, such as NOTIFY_SOCKET.
   */
  refuseUnknown(known: readonly Variable[], providerPrefixes: readonly string[]): void {
    const plain = known.map(({ name }) => name);
    const names = [...plain, ...plain.map((name) => `${name}_FILE`)];
    for (const name of Object.keys(this.#environment)) {
      if (names.includes(name) || this.#given(name) === undefined) continue;
      const own = name.startsWith(OWN_PREFIX) && !name.startsWith(SUITE_PREFIX);
      if (!own && !providerPrefixes.some((prefix) => name.startsWith(prefix))) continue;
      const typo = leven(nearestTo(name, names), name) <= MAX_TYPOS;
      if (own || typo)
        this.problem(`${name} is not a setting; the nearest is ${nearestTo(name, typo ? names : plain)}.`);
    }
  }

  /** Said once, however often the setting is read. */
  problem(sentence: string): void {
    if (!this.#problems.includes(sentence)) this.#problems.push(sentence);
  }

  /** What was read so far: each variable with its value or the content of its file. */
  get values(): ReadonlyMap<string, string | undefined> {
    return this.#values;
  }

  /** The problems that were found so far. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** @throws ConfigError with all problems that were found. */
  check(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }

  #value(name: string): string | undefined {
    const value = this.#given(name);
    const file = this.#given(`${name}_FILE`);
    if (file === undefined) return value;
    if (value !== undefined) {
      this.problem(`${name} and ${name}_FILE are both set; remove one of them.`);
      return value;
    }
    try {
      const content = readFileSync(file, 'utf8').trim();
      if (content === '') this.problem(`${name}_FILE names an empty file.`);
      return content || undefined;
    } catch {
      this.problem(`${name}_FILE names a file that cannot be read.`);
      return undefined;
    }
  }

  #given(name: string): string | undefined {
    const value = this.#environment[name]?.trim() ?? '';
    return value === '' || LEFT_EMPTY.test(value) ? undefined : value;
  }
}

/** The name that is most like this one. */
export function nearestTo(name: string, names: readonly string[]): string {
  const [nearest = ''] = names.toSorted((a, b) => leven(a, name) - leven(b, name));
  return nearest;
}

/** Whether a host name or address is loopback. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
