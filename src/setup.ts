import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import { readConfig, type Config, type Settings } from './config.ts';
import { CreateOnce } from './identity/create-once.ts';
import { IdMap, openCache, openKept } from './identity/id-map.ts';
import { guardLedger, within, type Ledger } from './identity/ledger.ts';
import { chooseStore } from './identity/stores/open-store.ts';
import type { RateLimiterOptions, Store } from './identity/stores/store.ts';
import { createLog, type Log } from './log.ts';
import type { Provider, ProviderDefinition } from './providers/provider.ts';
import { providers } from './providers/registry.ts';
import { SandboxCustomers, startSandbox } from './sandbox.ts';
import { flushTelemetry } from './telemetry.ts';
import { toolNames, toolsFor } from './tools/index.ts';
import type { Desk } from './tools/run-tool.ts';
import type { Tool } from './tools/tool.ts';

/** How long the start-up check waits for the store before it says that there is none. */
const STORE_PATIENCE_MS = 2_000;

/** Everything a command needs, put together. */
export interface Setup {
  /** One for each provider that is named: more than one only where the command can serve several. */
  readonly offers: readonly [Offer, ...Offer[]];
  readonly store: StoreCheck;
  readonly log: Log;
  close(): Promise<void>;
}

/** One provider, ready to be served: its tools, and what they work with. */
export interface Offer {
  readonly tools: readonly Tool[];
  readonly desk: Desk;
}

/** What can be asked of the store itself. */
export interface StoreCheck {
  /** The engine, and for SQLite the file; never an address, which may hold a password. */
  readonly name: string;
  /** @throws CustomerError `store_unavailable` when the ledger cannot be written. */
  ping(): Promise<void>;
  /** What about its settings could make it forget. */
  warnings(): Promise<readonly string[]>;
  /** A counter of requests that all processes on the store share; `undefined` where the engine has none to share. */
  rateLimiter(options: RateLimiterOptions): Promise<RateLimiterAbstract | undefined>;
}

/**
 * Reads the settings and puts the parts together. Waits for no connection. With `several`, CUSTOMERS_PROVIDER may name more
 * than one provider.
 * @throws ConfigError naming everything that is wrong with the settings, also what was noted in `settings` before.
 */
export async function setUp(settings: Settings, stderr: (text: string) => void, several = false): Promise<Setup> {
  const config = readConfig(settings);
  const [first, ...others] = chooseSources(settings, config, several);
  const open = chooseStore(config.store, settings);
  for (const name of config.tools ?? []) {
    if (!toolNames.includes(name))
      settings.problem(
        `CUSTOMERS_TOOLS names ${JSON.stringify(name)}, which is no tool; there are ${toolNames.join(', ')}.`,
      );
  }
  settings.check();

  const store = await open();
  const log = createLog(config.log, stderr);
  const ledger = guardLedger(store.ledger);
  const cache = openCache(store.cache);
  const connections: Connection[] = [];

  const makeOffer = async (source: Source): Promise<Offer> => {
    const connection = await source(store);
    connections.push(connection);
    const { provider, sandbox } = connection;
    const ids = new IdMap(provider, ledger, cache);
    const creates = new CreateOnce(provider, ledger, ids, {
      now: Date.now,
      elapsed: () => performance.now(),
      random: Math.random,
      uuid: () => randomUUID(),
      sleep: (ms) => sleep(ms),
    });
    const { timeoutMs, confirm } = config;
    return {
      tools: toolsFor(provider, { readOnly: config.readOnly, only: config.tools }),
      desk: { provider, ids, creates, confirms: confirm !== 'never', sandbox, timeoutMs, log },
    };
  };

  // Not waited for: a store that is down must not keep the server from starting.
  void warningsOf(store).then(
    (warnings) => warnings.forEach((warning) => log.warn('store', { store: warning })),
    () =>
      log.warn('store', {
        store: 'It does not answer. Creates with an external id say store_unavailable until it is back.',
      }),
  );
  return {
    offers: [await makeOffer(first), ...(await Promise.all(others.map(makeOffer)))],
    log,
    store: {
      name: config.store.startsWith('sqlite:') ? config.store : (config.store.split(':')[0] ?? ''),
      ping: () => ping(ledger),
      warnings: () => warningsOf(store),
      rateLimiter: async (options) => store.rateLimiter?.(options),
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
      await store.close();
      await flushTelemetry();
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

interface Connection {
  readonly provider: Provider;
  readonly sandbox: boolean;
  close(): Promise<void>;
}

/** A provider whose settings are sound, to be connected to: the real one, or its simulation kept in the store. */
type Source = (store: Store) => Promise<Connection>;

function real(connect: () => Provider): Source {
  return async () => {
    const provider = connect();
    return { provider, sandbox: false, close: () => provider.close() };
  };
}

function simulated({ name, sandbox }: ProviderDefinition): Source {
  return async (store) => {
    const server = await startSandbox(sandbox.handle, new SandboxCustomers(openKept(store.cache), name));
    const provider = sandbox.connect(server.origin);
    return {
      provider,
      sandbox: true,
      async close() {
        await provider.close();
        await server.close();
      },
    };
  };
}

/** Never the sandbox when something real was asked for: any variable of a provider counts as asking. */
function chooseSources(settings: Settings, config: Config, several: boolean): [Source, ...Source[]] {
  const [standard] = providers;
  const names = providers.map(({ name }) => name).join(', ');
  const named = providers.filter(({ name }) => config.providers.includes(name));
  const [first, ...others] = several ? named : named.slice(0, 1);
  const strangers = config.providers.filter((name) => !named.some((provider) => provider.name === name));
  if (strangers.length > 0 || (named.length > 1 && !several)) {
    settings.problem(
      `CUSTOMERS_PROVIDER must be one of ${names}${several ? ', or several with commas' : named.length > 1 ? '; only customers-mcp http serves several' : ''}.`,
    );
    return [simulated(standard)];
  }
  const source = (definition: ProviderDefinition): Source =>
    config.sandbox ? simulated(definition) : real(definition.configure(settings));
  if (first) return [source(first), ...others.map(source)];
  if (config.sandbox) return [simulated(standard)];

  if (settings.has('CUSTOMERS_SANDBOX'))
    settings.problem(
      `CUSTOMERS_PROVIDER is not set, and CUSTOMERS_SANDBOX is false. Set CUSTOMERS_PROVIDER to one of ${names}.`,
    );
  const given = providers.flatMap(({ variables }) => variables.filter((variable) => settings.has(variable)));
  if (given.length > 0)
    settings.problem(
      `CUSTOMERS_PROVIDER is not set, but ${given.join(', ')} ${given.length === 1 ? 'is' : 'are'}. Set it to one of ${names}, or CUSTOMERS_SANDBOX=true to try without an account.`,
    );
  return [simulated(standard)];
}
