import { readProxies, variables, type Config } from './config.ts';
import type { Proxies } from './http-client/proxies.ts';
import { openKept } from './identity/cache.ts';
import { accountPrefixes } from './identity/id-map.ts';
import type { Provider, ProviderDefinition } from './providers/provider.ts';
import { providers } from './providers/registry.ts';
import { SandboxCustomers, startSandbox, type WriteCounter } from './sandbox.ts';
import type { Settings } from './settings.ts';
import type { Rows, Store } from './stores/store.ts';
import type { Tenant } from './tools/tool.ts';

/** A provider, connected to its account or to a simulation. */
interface Connection {
  readonly provider: Provider;
  readonly sandbox: boolean;
  close(): Promise<void>;
}

/** A provider whose settings are valid: the real one, or its simulation, which the store keeps. */
export interface Source {
  connect(store: Store, tenant?: Tenant): Promise<Connection>;
  /** The beginnings of the keys of its records, the present one first. */
  prefixes(tenant: Tenant): readonly string[];
}

function real(create: (proxies?: Proxies) => Provider, proxies: Proxies | undefined): Source {
  return {
    async connect() {
      const provider = create(proxies);
      return { provider, sandbox: false, close: () => provider.close() };
    },
    prefixes() {
      const provider = create(proxies);
      void provider.close();
      return accountPrefixes(provider);
    },
  };
}

function simulated({ name, sandbox }: ProviderDefinition): Source {
  const accountOf = (tenant?: Tenant): string => (tenant ? `sandbox-${tenant.name}` : 'sandbox');
  return {
    async connect(store, tenant) {
      const place = tenant ? `${name}/${tenant.name}` : name;
      const customers = new SandboxCustomers(openKept(store.cache), countWrites(store.rows, place), place);
      const server = await startSandbox(sandbox.handle, customers);
      const provider = sandbox.connect(server.origin, accountOf(tenant));
      return {
        provider,
        sandbox: true,
        async close() {
          await provider.close();
          await server.close();
        },
      };
    },
    prefixes: (tenant) => accountPrefixes({ name, account: accountOf(tenant) }),
  };
}

/** Counts with the epoch of a row, which rises by exactly one at each change by any process. */
function countWrites(rows: Rows, place: string): WriteCounter {
  const key = `sandbox/${place}`;
  const count = { state: 'COUNT', data: '{}', leaseMs: 0 };
  return {
    current: async () => (await rows.read(key))?.epoch ?? 0,
    async next() {
      for (;;) {
        const present = await rows.insert({ key, epoch: 1, ...count });
        if (!present) return 1;
        // Otherwise another process has counted in between.
        if (await rows.replace(present, { ...count, checkInMs: 0, durable: false })) return present.epoch + 1;
      }
    },
  };
}

/** Never chooses the sandbox if a real account is intended; any variable of a provider counts as a sign of that. */
export function chooseSources(settings: Settings, config: Config, several: boolean): [Source, ...Source[]] {
  const [fallback] = providers;
  const names = providers.map(({ name }) => name).join(', ');
  const named = providers.filter(({ name }) => config.providers.includes(name));
  const [first, ...others] = several ? named : named.slice(0, 1);
  const unknown = config.providers.filter((name) => !named.some((definition) => definition.name === name));
  if (unknown.length > 0 || (named.length > 1 && !several)) {
    settings.problem(
      `CUSTOMERS_PROVIDER must be one of ${names}${several ? ', or several separated by commas' : named.length > 1 ? '; only customers-mcp http serves several' : ''}.`,
    );
    return [simulated(fallback)];
  }
  const source = (definition: ProviderDefinition): Source =>
    config.sandbox
      ? simulated(definition)
      : real(definition.configure(settings, config.account), readProxies(settings));
  if (first) return [source(first), ...others.map(source)];
  if (config.sandbox) return [simulated(fallback)];

  if (settings.has(variables.sandbox))
    settings.problem(
      `CUSTOMERS_PROVIDER is not set, and CUSTOMERS_SANDBOX is false. Set CUSTOMERS_PROVIDER to one of ${names}.`,
    );
  const given = providers.flatMap((provider) => provider.variables).filter((variable) => settings.has(variable));
  if (given.length > 0)
    settings.problem(
      `CUSTOMERS_PROVIDER is not set, but ${given.map(({ name }) => name).join(', ')} ${given.length === 1 ? 'is' : 'are'}. Set it to one of ${names}, or set CUSTOMERS_SANDBOX=true to try it without an account.`,
    );
  return [simulated(fallback)];
}
