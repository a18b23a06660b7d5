import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig, Settings, type Environment } from './config.ts';
import { CreateOnce } from './identity/create-once.ts';
import { IdMap, openCache, openKept } from './identity/id-map.ts';
import { guardLedger, within, type Ledger } from './identity/ledger.ts';
import { chooseStore } from './identity/stores/open-store.ts';
import type { Store } from './identity/stores/store.ts';
import { createLog } from './log.ts';
import type { Provider, ProviderDefinition } from './providers/provider.ts';
import { providers } from './providers/registry.ts';
import { SandboxCustomers, startSandbox } from './sandbox.ts';
import { toolNames, toolsFor } from './tools/index.ts';
import type { Desk } from './tools/run-tool.ts';
import type { Tool } from './tools/tool.ts';

/** How long the start-up check waits for the store before it says that there is none. */
const STORE_PATIENCE_MS = 2_000;

/** Everything a command needs, put together. */
export interface Setup {
  readonly tools: readonly Tool[];
  readonly desk: Desk;
  readonly store: StoreCheck;
  close(): Promise<void>;
}

/** What can be asked of the store itself. */
export interface StoreCheck {
  /** The engine, and for SQLite the file; never an address, which may hold a password. */
  readonly name: string;
  /** @throws CustomerError `store_unavailable` when the ledger cannot be written. */
  ping(): Promise<void>;
  /** What about its settings could make it forget. */
  warnings(): Promise<readonly string[]>;
}

/**
 * Reads the settings and puts the parts together. Waits for no connection.
 * @throws ConfigError naming everything that is wrong with the settings.
 */
export async function setUp(environment: Environment, stderr: (text: string) => void): Promise<Setup> {
  const settings = new Settings(environment);
  const config = readConfig(settings);
  const { definition, sandbox } = chooseProvider(settings, config);
  const connect = sandbox ? undefined : definition.configure(settings);
  const open = chooseStore(config.store, settings);
  for (const name of config.tools ?? []) {
    if (!toolNames.includes(name))
      settings.problem(
        `CUSTOMERS_TOOLS names ${JSON.stringify(name)}, which is no tool; there are ${toolNames.join(', ')}.`,
      );
  }
  settings.check();

  const store = await open();
  const cache = openCache(store.cache);
  const simulated = connect
    ? undefined
    : await startSandbox(definition.sandbox.handle, new SandboxCustomers(openKept(store.cache), definition.name));
  const provider: Provider = connect ? connect() : definition.sandbox.connect(simulated?.origin ?? '');
  const ledger = guardLedger(store.ledger);
  const ids = new IdMap(provider, ledger, cache);
  const creates = new CreateOnce(provider, ledger, ids, {
    now: Date.now,
    elapsed: () => performance.now(),
    random: Math.random,
    uuid: randomUUID,
    sleep: (ms) => sleep(ms),
  });
  const log = createLog(config.log, stderr);
  // Not waited for: a store that is down must not keep the server from starting.
  void warningsOf(store).then(
    (warnings) => warnings.forEach((warning) => log.warn('store', { store: warning })),
    () =>
      log.warn('store', {
        store: 'It does not answer. Creates with an external id say store_unavailable until it is back.',
      }),
  );
  return {
    tools: toolsFor(provider, { readOnly: config.readOnly, only: config.tools }),
    desk: { provider, ids, creates, confirms: config.confirm !== 'never', sandbox, timeoutMs: config.timeoutMs, log },
    store: {
      name: config.store.startsWith('sqlite:') ? config.store : (config.store.split(':')[0] ?? ''),
      ping: () => ping(ledger),
      warnings: () => warningsOf(store),
    },
    async close() {
      await provider.close();
      await simulated?.close();
      await store.close();
    },
  };
}

async function warningsOf(store: Store): Promise<readonly string[]> {
  return store.warnings ? within(STORE_PATIENCE_MS, store.warnings()) : [];
}

/** Writes a row of its own and frees it: being readable is not enough for a create. */
async function ping(ledger: Ledger): Promise<void> {
  const data = { op: '', externalId: '', fields: {} };
  const claim = await ledger.claim('v1/ping', { owner: randomUUID(), leaseMs: 1, data, reopen: false });
  if (claim.kind === 'owned') await ledger.advance(claim.intent, { state: 'GONE', data, leaseMs: 0 });
}

/** Never the sandbox when something real was asked for: any variable of a provider counts as asking. */
function chooseProvider(
  settings: Settings,
  config: { provider: string | undefined; sandbox: boolean },
): { definition: ProviderDefinition; sandbox: boolean } {
  const [standard] = providers;
  const names = providers.map(({ name }) => name).join(', ');
  const definition = providers.find(({ name }) => name === config.provider);
  if (config.provider !== undefined) {
    if (!definition) settings.problem(`CUSTOMERS_PROVIDER must be one of ${names}.`);
    return { definition: definition ?? standard, sandbox: config.sandbox || !definition };
  }
  if (config.sandbox) return { definition: standard, sandbox: true };
  if (settings.has('CUSTOMERS_SANDBOX'))
    settings.problem(
      `CUSTOMERS_PROVIDER is not set, and CUSTOMERS_SANDBOX is false. Set CUSTOMERS_PROVIDER to one of ${names}.`,
    );
  const given = providers.flatMap(({ variables }) => variables.filter((variable) => settings.has(variable)));
  if (given.length > 0)
    settings.problem(
      `CUSTOMERS_PROVIDER is not set, but ${given.join(', ')} ${given.length === 1 ? 'is' : 'are'}. Set it to one of ${names}, or CUSTOMERS_SANDBOX=true to try without an account.`,
    );
  return { definition: standard, sandbox: true };
}
