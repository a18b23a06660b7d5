import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import type { AuditParts, AuditTrail } from './audit.ts';
import { defaultStore, httpVariables, readConfig, variables, type Config } from './config.ts';
import { openCache } from './identity/cache.ts';
import { Directory } from './directory/directory.ts';
import { systemClock, systemRandom } from './identity/clock.ts';
import { CustomerTurns } from './identity/customer-turns.ts';
import { CreateOnce } from './identity/create-once.ts';
import { withFormerAccounts } from './identity/former-accounts.ts';
import { IdMap } from './identity/id-map.ts';
import { released, type IntentData } from './identity/intent.ts';
import { Leases } from './identity/lease.ts';
import { createLedger, withDeadline, type Ledger } from './identity/ledger.ts';
import { signingKey } from './identity/signing-key.ts';
import { useOnce } from './identity/use-once.ts';
import { Updates } from './identity/update.ts';
import { chooseStore } from './stores/open-store.ts';
import type { RateLimiterOptions, Store } from './stores/store.ts';
import { withTimeout } from './stores/timeout.ts';
import { createLog, withFields, type Log } from './log.ts';
import { providers } from './providers/registry.ts';
import type { Settings } from './settings.ts';
import { chooseSources, type Source } from './sources.ts';
import { flushTelemetry } from './telemetry.ts';
import { toolNames, toolsFor } from './tools/index.ts';
import type { ServerContext, Tenant } from './tools/tool.ts';

/** How long the check at the start and a round of sweeping wait for the store. */
const CHECK_TIMEOUT_MS = 2_000;

/** The rows of each kind that a round of the reconciler removes: enough for those of a million creates a day. */
const MAX_SWEPT = 2_000;

/** Everything a command needs. */
export interface Runtime {
  /** One for each provider; several only if the command can serve several. */
  readonly contexts: readonly [ServerContext, ...ServerContext[]];
  readonly store: StoreCheck;
  readonly log: Log;
  /** Absent if writes are not recorded. */
  readonly audit: AuditTrail | undefined;
  close(): Promise<void>;
}

/** The operations on the store that commands need. */
interface StoreCheck {
  /** The engine, and for SQLite the file; never an address, which may contain a password. */
  readonly name: string;
  /** @throws CustomerError `store_unavailable` if the ledger cannot be written. */
  ping(): Promise<void>;
  /** Settings of the store with which it can lose rows. */
  warnings(): Promise<readonly string[]>;
  /** Removes a bounded number of rows that are no longer needed. */
  sweep(): Promise<void>;
  /** A rate limiter that all processes on the store share; `undefined` if the engine has none. */
  rateLimiter(options: RateLimiterOptions): Promise<RateLimiterAbstract | undefined>;
}

/** What all accounts share: the store with what is built on it, and the log. */
export interface Shared {
  readonly rows: Store['rows'];
  readonly kept: Store;
  readonly ledger: Ledger;
  readonly leases: Leases;
  readonly cache: ReturnType<typeof openCache>;
  readonly check: StoreCheck;
  readonly log: Log;
  readonly audit: AuditTrail | undefined;
  close(): Promise<void>;
}

/** An account that is ready to be served, and what it takes to let it go. */
export interface Account {
  readonly context: ServerContext;
  close(): Promise<void>;
}

/** The settings of one account, valid and not yet connected. */
export interface AccountSettings {
  readonly config: Config;
  readonly source: Source;
}

/**
 * Reads the settings and composes the parts. Does not wait for connections. With `several`, CUSTOMERS_PROVIDER can name more
 * than one provider.
 * @throws ConfigError with all problems of the configuration, including those that `settings` has already collected.
 */
export async function createRuntime(
  settings: Settings,
  stderr: AuditParts['stderr'],
  several = false,
): Promise<Runtime> {
  const config = readConfig(settings);
  const sources = chooseSources(settings, config, several);
  refuseUnknownTools(settings, config);
  const shared = await openShared(settings, config, stderr);
  const [first, ...others] = sources;
  const make = (source: Source): Promise<Account> => openAccount(shared, { config, source });
  const accounts: [Account, ...Account[]] = [await make(first), ...(await Promise.all(others.map(make)))];
  const [{ context }, ...more] = accounts;
  return {
    contexts: [context, ...more.map((account) => account.context)],
    log: shared.log,
    store: shared.check,
    audit: shared.audit,
    async close() {
      await Promise.all(accounts.map((account) => account.close()));
      await shared.close();
    },
  };
}

/**
 * Opens the store that the settings name, after all problems of the settings are known.
 * @throws ConfigError
 */
export async function openShared(settings: Settings, config: Config, stderr: AuditParts['stderr']): Promise<Shared> {
  const address = config.store ?? (await defaultStore(settings));
  const open = chooseStore(address, settings);
  settings.refuseUnknown(
    allVariables,
    providers.map(({ name }) => `${name.toUpperCase()}_`),
  );
  settings.check();
  const store = await open();
  const log = createLog(config.log, (line) => stderr(line, () => {}));
  const audit = config.audit && (await openAudit(config.audit, { log, stderr, key: () => signingKey(store.rows) }));
  const ledger = withDeadline(createLedger(store.rows));
  // Not awaited: the server must start even if the store is down.
  void warnAbout(store, log);
  return {
    rows: store.rows,
    kept: store,
    ledger,
    leases: new Leases(store.rows, systemClock, systemRandom),
    cache: openCache(store.cache),
    check: checkOf(store, ledger, address),
    log,
    audit,
    async close() {
      await audit?.close();
      await store.close();
      await flushTelemetry();
    },
  };
}

/** Loaded only if it is configured. Warns in the log if it cannot be written. */
async function openAudit(
  { target, required }: NonNullable<Config['audit']>,
  parts: Pick<AuditParts, 'log' | 'stderr' | 'key'>,
): Promise<AuditTrail> {
  const { AuditTrail: Trail } = await import('./audit.ts');
  const trail = new Trail({ target, required, ...parts });
  void trail.problem().then((problem) => {
    if (problem !== undefined) parts.log.warn('audit', { audit: problem });
  });
  return trail;
}

/** Every variable that has a meaning. */
export const allVariables = [
  ...Object.values(variables),
  ...Object.values(httpVariables),
  ...providers.flatMap((provider) => provider.variables),
];

/** Connects an account. Does not wait for the connection. */
export async function openAccount(
  { kept: store, ledger: shared, leases, cache, log, audit }: Shared,
  { config, source }: AccountSettings,
  tenant?: Tenant,
): Promise<Account> {
  const { provider, sandbox, close } = await source.connect(store, tenant);
  const ledger = withFormerAccounts(shared, provider);
  const ids = new IdMap(provider, ledger, cache);
  const directory = new Directory(provider);
  const account = { provider, ledger, ids, leases, cache, clock: systemClock, random: systemRandom, directory };
  const turns = new CustomerTurns(account);
  const updates = new Updates(account, turns);
  const context: ServerContext = {
    tools: toolsFor(provider, { readOnly: config.readOnly, only: config.tools }),
    provider,
    ids,
    creates: new CreateOnce(account, { updates, turns }),
    updates,
    turns,
    directory,
    confirms: config.confirm !== 'never',
    signingKey: () => signingKey(store.rows),
    useOnce: (value) => useOnce(store.rows, value),
    sandbox,
    timeoutMs: config.timeoutMs,
    log: tenant ? withFields(log, { tenant: tenant.name }) : log,
    audit,
    ...(tenant && { tenant }),
  };
  return { context, close };
}

function checkOf(store: Store, ledger: Ledger, address: string): StoreCheck {
  return {
    name: address.startsWith('sqlite:') ? address : (address.split(':')[0] ?? ''),
    ping: () => ping(ledger),
    warnings: () => warningsOf(store),
    sweep: () => withTimeout(CHECK_TIMEOUT_MS, store.sweep(MAX_SWEPT)),
    rateLimiter: async (options) => store.rateLimiter?.(options),
  };
}

/** Tools that do not exist are a problem of the settings. */
export function refuseUnknownTools(settings: Settings, { tools = [] }: Config): void {
  for (const name of tools) {
    if (!toolNames.includes(name))
      settings.problem(
        `CUSTOMERS_TOOLS names ${JSON.stringify(name)}, which is not a tool; available tools: ${toolNames.join(', ')}.`,
      );
  }
}

async function warnAbout(store: Store, log: Log): Promise<void> {
  try {
    for (const warning of await warningsOf(store)) log.warn('store', { store: warning });
  } catch {
    log.warn('store', {
      store: 'It does not respond. Creates with an external id return store_unavailable until it does.',
    });
  }
}

async function warningsOf(store: Store): Promise<readonly string[]> {
  return store.warnings ? withTimeout(CHECK_TIMEOUT_MS, store.warnings()) : [];
}

/** Writes a row of its own and releases it, because a create needs a store that can be written, not only read. */
async function ping(ledger: Ledger): Promise<void> {
  const data: IntentData = { salt: '', externalId: '', fingerprint: {} };
  const claim = await ledger.claim('v1/ping', { leaseMs: 1, data, reopen: false });
  if (claim.kind === 'acquired') await ledger.transition(claim.intent, released(data));
}
