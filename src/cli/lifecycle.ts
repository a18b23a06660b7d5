import type { AuditParts } from '../audit.ts';
import { reconcile } from '../identity/reconciler.ts';
import { httpVariables } from '../config.ts';
import { createRuntime, type Runtime, type Shared } from '../runtime.ts';
import { Settings } from '../settings.ts';
import type { FileOptions } from '../tenants/tenant-file.ts';
import type { Tenants } from '../tenants/tenants.ts';
import type { ServerContext } from '../tools/tool.ts';
import type { Terminal } from './terminal.ts';

/**
 * Creates the runtime that the environment configures, with its log on stderr.
 * @throws ConfigError
 */
export function startRuntime({ environment, stderr }: Terminal): Promise<Runtime> {
  const settings = new Settings(environment);
  if (settings.has(httpVariables.tenants))
    settings.problem(
      'CUSTOMERS_TENANTS is set, but only customers-mcp http and customers-mcp doctor serve several businesses. Unset it and set the variables of one.',
    );
  return createRuntime(settings, (text, done) => stderr.write(text, done));
}

/** Tenants that are served or checked, and the file they come from. */
interface StartedTenants {
  readonly tenants: Tenants;
  readonly shared: Shared;
  readonly file: FileOptions;
}

/**
 * Opens the store for the tenants of a file; `write` receives the log.
 * @throws ConfigError
 */
export async function startTenants(
  settings: Settings,
  { path, environment }: Pick<FileOptions, 'path' | 'environment'>,
  write: AuditParts['stderr'],
): Promise<StartedTenants> {
  const [{ openTenants }, { READ_SCOPE, WRITE_SCOPE }] = await Promise.all([
    import('../tenants/tenants.ts'),
    import('../http/auth.ts'),
  ]);
  const hasIssuer = settings.has(httpVariables.issuer);
  const file = { path, environment, scopes: [READ_SCOPE, WRITE_SCOPE], hasIssuer };
  return { ...(await openTenants(settings, file, write)), file };
}

/** Uses a runtime and closes it, also after an error. */
export async function withRuntime<T>(starting: Promise<Runtime>, use: (runtime: Runtime) => Promise<T>): Promise<T> {
  const runtime = await starting;
  try {
    return await use(runtime);
  } finally {
    await runtime.close();
  }
}

/** Open creates to resolve in the background. */
interface Reconciled {
  readonly creates: Pick<ServerContext['creates'], 'open' | 'resolve'>;
  readonly timeoutMs: number;
  /** For the log; absent if there are several. */
  readonly provider?: string;
}

/** Serves, and reconciles open creates in the background meanwhile. */
export async function whileReconciling(
  reconciled: readonly Reconciled[],
  { log, store }: Pick<Runtime, 'log' | 'store'>,
  serve: () => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  const reconciling = reconciled.map(({ creates, timeoutMs, provider }) =>
    reconcile(creates, {
      signal: ending.signal,
      budgetMs: timeoutMs,
      sweep: () => store.sweep(),
      onRound(resolved) {
        for (const { state } of resolved)
          log.info('reconciled', { ...(provider !== undefined && { provider }), outcome: state });
      },
    }),
  );
  try {
    await serve();
  } finally {
    ending.abort();
    await Promise.all(reconciling);
  }
}

/** The creates of the accounts, each reconciled by itself. */
export function accountsOf(contexts: readonly ServerContext[]): readonly Reconciled[] {
  return contexts.map(({ creates, timeoutMs, provider }) => ({ creates, timeoutMs, provider: provider.name }));
}

/** Announces the sandbox on stderr, if the provider is simulated. */
export function announceSandbox({ sandbox, provider }: ServerContext, { stderr }: Terminal): void {
  if (!sandbox) return;
  stderr.write(
    `customers-mcp: SANDBOX. ${provider.title} is simulated on this machine; nothing real is read or changed. Set CUSTOMERS_PROVIDER and its credentials for a real account.\n`,
  );
}
