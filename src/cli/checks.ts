import { CustomerError } from '../errors.ts';
import { startCall, type CallStats } from '../http-client/call.ts';
import { SKEW_MS } from '../identity/timing.ts';
import type { Runtime } from '../runtime.ts';
import type { ServerContext } from '../tools/tool.ts';
import type { Check } from './check.ts';
import { checkOpenCreates } from './open-creates.ts';

/**
 * Checks the store, and for each provider the account, the clock and the unresolved creates. Reads at most one page of
 * customers; with `settle`, also looks up those creates at the provider.
 */
export async function runChecks(
  { contexts, store, audit }: Runtime,
  settle: boolean,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const accounts = contexts.map(({ provider, sandbox }) =>
    sandbox ? `${provider.title}, simulated on this machine` : provider.title,
  );
  const checks = await checkShared(accounts.join('; '), { store, audit });
  for (const context of contexts) checks.push(...(await checkAccount(context, settle, signal)));
  return checks;
}

/** Checks the settings, which are valid by now, the store and the audit trail. */
export async function checkShared(
  accounts: string,
  { store, audit }: Pick<Runtime, 'store' | 'audit'>,
): Promise<Check[]> {
  return [
    { check: 'settings', ok: true, found: `${accounts}, store ${store.name}` },
    ...(await checkStore(store)),
    ...(audit ? [await checkAudit(audit)] : []),
  ];
}

/** Checks one account. */
export async function checkAccount(context: ServerContext, settle: boolean, signal: AbortSignal): Promise<Check[]> {
  const checks = [...(await checkProvider(context, signal)), ...(await checkOpenCreates(context, settle, signal))];
  const { tenant } = context;
  return tenant ? checks.map((own) => ({ tenant: tenant.name, ...own })) : checks;
}

async function checkStore({ ping, warnings }: Runtime['store']): Promise<Check[]> {
  try {
    await ping();
  } catch {
    return [
      {
        check: 'store',
        ok: false,
        found: 'It does not respond or cannot be written.',
        remedy: 'Check CUSTOMERS_STORE, and that its server is running or its file can be opened.',
      },
    ];
  }
  const risks = await warnings().catch(() => []);
  if (risks.length === 0) return [{ check: 'store', ok: true, found: 'It responds.' }];
  return risks.map((risk) => ({ check: 'store', ok: false, found: risk }));
}

async function checkAudit(audit: NonNullable<Runtime['audit']>): Promise<Check> {
  const reason = await audit.problem();
  if (reason === undefined) return { check: 'audit', ok: true, found: 'It can be written.' };
  return {
    check: 'audit',
    ok: false,
    found: `It cannot be written: ${reason}.`,
    remedy: 'Check CUSTOMERS_AUDIT, and the permissions of the file and its folder.',
  };
}

async function checkProvider({ provider, timeoutMs, tools }: ServerContext, signal: AbortSignal): Promise<Check[]> {
  const { title, traits } = provider;
  const stats: CallStats = { attempt: 0, status: undefined };
  const problem = await provider.searchCustomers({ [traits.limitField]: 1 }, startCall(signal, timeoutMs, stats)).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof CustomerError) return error;
      throw error;
    },
  );
  const refused = problem?.kind === 'unauthorized' || problem?.kind === 'forbidden';
  if (problem && !refused) return [{ check: 'provider', ok: false, found: problem.messageFor(tools) }];
  return [
    { check: 'provider', ok: true, found: `${title} answers.` },
    refused
      ? { check: 'credentials', ok: false, found: problem.messageFor(tools) }
      : { check: 'credentials', ok: true, found: `${title} accepts them.` },
    compareClocks(title, Date.parse(stats.date ?? '') - Date.now()),
  ];
}

/** Compares the clocks: a lost create is searched for among the customers created since it was sent. */
function compareClocks(title: string, aheadMs: number): Check {
  if (Number.isNaN(aheadMs)) return { check: 'clock', ok: true, found: `${title} sends no time for comparison.` };
  if (Math.abs(aheadMs) <= SKEW_MS) return { check: 'clock', ok: true, found: `It agrees with that of ${title}.` };
  return {
    check: 'clock',
    ok: false,
    found: `This machine's clock is ${Math.round(Math.abs(aheadMs) / 1_000)} s ${aheadMs > 0 ? 'behind' : 'ahead of'} that of ${title}.`,
    remedy: 'Set the clock, or synchronize it (NTP).',
  };
}
