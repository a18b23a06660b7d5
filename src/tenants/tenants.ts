import type { AuditParts } from '../audit.ts';
import { readConfig } from '../config.ts';
import { ConfigError } from '../errors.ts';
import type { CreateOnce } from '../identity/create-once.ts';
import { accountOfKey, ALL_ACCOUNTS } from '../identity/id-map.ts';
import { openAccount, openShared, type Account, type Shared } from '../runtime.ts';
import type { Settings } from '../settings.ts';
import type { ServerContext } from '../tools/tool.ts';
import { readTenantFile, tokensOf, type FileOptions, type TenantEntry } from './tenant-file.ts';

/** How long a tenant stays connected without a call. */
const IDLE_MS = 10 * 60_000;
const SWEEP_MS = 60_000;
/** The open creates that a round of the reconciler reads; one of each account before a second of any. */
const MAX_DUE = 1_000;
/** The open creates of one tenant that a round looks up. */
const MAX_DUE_EACH = 20;

type Entries = ReadonlyMap<string, TenantEntry>;

/**
 * Opens the store for the tenants of a file.
 * @throws ConfigError with all problems of the settings and of the file.
 */
export async function openTenants(
  settings: Settings,
  file: FileOptions,
  stderr: AuditParts['stderr'],
): Promise<{ readonly tenants: Tenants; readonly shared: Shared }> {
  const config = readConfig(settings);
  let entries: Entries = new Map();
  try {
    entries = readTenantFile(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) settings.problem(problem);
  }
  const shared = await openShared(settings, config, stderr);
  return { tenants: new Tenants(shared, entries), shared };
}

/** A tenant that is connected or connecting. */
interface Connected {
  readonly entry: TenantEntry;
  readonly account: Promise<Account>;
  users: number;
  usedAt: number;
}

/** The businesses that one server serves. Each is connected when it is first used, and let go when it is idle. */
export class Tenants {
  readonly #shared: Shared;
  #entries: Entries;
  readonly #connected = new Map<string, Connected>();
  /** Tenants that are no longer in use for new calls. */
  readonly #retired = new Set<Connected>();
  readonly #timer: NodeJS.Timeout;
  #prefixes: Map<string, string> | undefined;
  #owners: ReturnType<typeof tokensOf>;

  constructor(shared: Shared, entries: Entries) {
    this.#shared = shared;
    this.#entries = entries;
    this.#owners = tokensOf(entries);
    this.#timer = setInterval(() => void this.#letGo(), SWEEP_MS).unref();
  }

  get entries(): Entries {
    return this.#entries;
  }

  /** The tenant of a bearer token, by the token's SHA-256 as hex. */
  ownerOf(sha256: string): { readonly tenant: string; readonly scopes: readonly string[] } | undefined {
    return this.#owners.get(sha256);
  }

  /** The open creates of all tenants, and their look-up by the tenant to which they belong. */
  get creates(): Pick<CreateOnce, 'open' | 'resolve'> {
    return {
      open: async (limit, withinMs = 0) => {
        const limitEach = Math.min(limit, MAX_DUE_EACH);
        const due = await this.#shared.ledger.due({ prefix: ALL_ACCOUNTS, limit: MAX_DUE, withinMs, limitEach });
        // Those of removed tenants wait for a server that has them.
        return due.filter(({ key }) => this.#tenantOf(key) !== undefined);
      },
      resolve: async (intent, call) => {
        const name = this.#tenantOf(intent.key);
        return name === undefined ? undefined : this.use(name, ({ creates }) => creates.resolve(intent, call));
      },
    };
  }

  /** The tenant to whose account a record belongs. */
  #tenantOf(key: string): string | undefined {
    this.#prefixes ??= new Map(
      [...this.#entries.values()].flatMap(({ name, title, settings }) =>
        settings.source.prefixes({ name, title }).map((prefix) => [prefix, name]),
      ),
    );
    return this.#prefixes.get(accountOfKey(key));
  }

  /**
   * Runs work with a tenant, which stays connected until the returned promise and `until` have ended. `undefined`: there is no
   * such tenant.
   */
  async use<T>(
    name: string,
    work: (context: ServerContext) => Promise<T>,
    until: Promise<unknown> = Promise.resolve(),
  ): Promise<T | undefined> {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const connected = this.#connect(entry);
    connected.users += 1;
    const running = connected.account.then(({ context }) => work(context));
    void Promise.allSettled([running, until]).then(() => {
      connected.users -= 1;
      connected.usedAt = performance.now();
      if (this.#retired.has(connected)) void this.#letGo();
    });
    return running;
  }

  /** Serves these tenants from now on. Calls in flight go on; tenants whose entry is the same stay connected. */
  replace(entries: Entries): void {
    this.#entries = entries;
    this.#owners = tokensOf(entries);
    this.#prefixes = undefined;
    for (const [name, connected] of this.#connected) {
      if (entries.get(name)?.fingerprint === connected.entry.fingerprint) continue;
      this.#connected.delete(name);
      this.#retired.add(connected);
    }
    void this.#letGo();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const all = [...this.#connected.values(), ...this.#retired];
    await Promise.all(all.map(closeAccount));
    await this.#shared.close();
  }

  #connect(entry: TenantEntry): Connected {
    const { name, title, settings } = entry;
    const present = this.#connected.get(name);
    if (present) return present;
    const account = openAccount(this.#shared, settings, { name, title });
    const connected = { entry, account, users: 0, usedAt: performance.now() };
    this.#connected.set(name, connected);
    account.catch(() => {
      if (this.#connected.get(name) === connected) this.#connected.delete(name);
    });
    return connected;
  }

  async #letGo(): Promise<void> {
    const over = performance.now() - IDLE_MS;
    for (const [name, connected] of this.#connected) {
      if (connected.users > 0 || connected.usedAt > over) continue;
      this.#connected.delete(name);
      this.#retired.add(connected);
    }
    for (const connected of this.#retired) {
      if (connected.users > 0) continue;
      this.#retired.delete(connected);
      await closeAccount(connected);
    }
  }
}

async function closeAccount({ account }: Connected): Promise<void> {
  await account.then(({ close }) => close()).catch(() => {});
}
