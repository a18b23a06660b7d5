import { CustomerError } from './errors.ts';
import type { Trace } from './http-client.ts';
import { SKEW_MS } from './identity/create-once.ts';
import { settleOpen } from './identity/reconciler.ts';
import type { Offer, Setup } from './setup.ts';
import { cleanText } from './text.ts';

/** One thing that was looked at, what was found, and what to do if it is not as it should be. */
export interface Finding {
  readonly check: 'settings' | 'store' | 'provider' | 'credentials' | 'clock' | 'open creates';
  readonly ok: boolean;
  readonly found: string;
  /** Where `found` does not say it already. */
  readonly remedy?: string;
}

const MOST_OPEN = 1_000;
const ALL_MS = 24 * 3_600_000;

/**
 * Looks at the store, and for each provider at the account, the clock and the creates that are open. Reads one customer page at most;
 * with `settle`, searches for what is open.
 */
export async function examine(
  { offers, store }: Setup,
  settle: boolean,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const accounts = offers.map(({ desk: { provider, sandbox } }) =>
    sandbox ? `${provider.title}, simulated on this machine` : provider.title,
  );
  const findings: Finding[] = [
    { check: 'settings', ok: true, found: `${accounts.join('; ')}, store ${store.name}` },
    ...(await examineStore(store)),
  ];
  for (const { desk } of offers)
    findings.push(...(await examineProvider(desk, signal)), await examineOpen(desk, settle, signal));
  return findings;
}

async function examineStore({ ping, warnings }: Setup['store']): Promise<Finding[]> {
  try {
    await ping();
  } catch {
    return [
      {
        check: 'store',
        ok: false,
        found: 'It does not answer, or cannot be read.',
        remedy: 'Check CUSTOMERS_STORE, and that the server or the file behind it is there.',
      },
    ];
  }
  const risks = await warnings().catch(() => []);
  if (risks.length === 0) return [{ check: 'store', ok: true, found: 'It answers.' }];
  return risks.map((risk) => ({ check: 'store', ok: false, found: risk }));
}

async function examineProvider({ provider, timeoutMs }: Offer['desk'], signal: AbortSignal): Promise<Finding[]> {
  const { title, traits } = provider;
  const trace: Trace = { attempt: 0, status: undefined };
  const problem = await provider
    .searchCustomers({ [traits.limitField]: 1 }, { ...callOf(timeoutMs, signal), trace })
    .then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof CustomerError) return error;
        throw error;
      },
    );
  const refused = problem?.kind === 'unauthorized' || problem?.kind === 'forbidden';
  if (problem && !refused) return [{ check: 'provider', ok: false, found: problem.message }];
  return [
    { check: 'provider', ok: true, found: `${title} answers.` },
    refused
      ? { check: 'credentials', ok: false, found: problem.message }
      : { check: 'credentials', ok: true, found: `${title} accepts them.` },
    compareClocks(title, Date.parse(trace.date ?? '') - Date.now()),
  ];
}

/** A lost create is looked for among what was created since it was sent, which two clocks have to agree on. */
function compareClocks(title: string, aheadMs: number): Finding {
  if (Number.isNaN(aheadMs)) return { check: 'clock', ok: true, found: `${title} does not say what time it is.` };
  if (Math.abs(aheadMs) <= SKEW_MS) return { check: 'clock', ok: true, found: `It agrees with that of ${title}.` };
  return {
    check: 'clock',
    ok: false,
    found: `This machine's clock is ${Math.round(Math.abs(aheadMs) / 1_000)} s ${aheadMs > 0 ? 'behind' : 'ahead of'} that of ${title}.`,
    remedy: 'Set it; have it set by the network (NTP).',
  };
}

async function examineOpen(
  { creates, timeoutMs, provider }: Offer['desk'],
  settle: boolean,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const settled = settle ? await settleOpen(creates, () => callOf(timeoutMs, signal), ALL_MS) : [];
    const done = settled.filter(({ state }) => state === 'DONE' || state === 'GONE').length;
    const torn = settled.filter(({ state }) => state === 'CONFLICT').map(({ externalId }) => cleanText(externalId));
    const open = await creates.open(MOST_OPEN, ALL_MS);
    const found = [
      ...(settle ? [`${done} settled`] : []),
      ...(torn.length > 0 ? [`several customers may be ${torn.join(', ')}`] : []),
      open.length === 0
        ? 'none is open'
        : `${open.length} open: ${open.map(({ data }) => cleanText(data.externalId)).join(', ')}`,
    ].join(', ');
    if (torn.length > 0) {
      const remedy = 'Have a person decide, then tie the right one with link_customer.';
      return { check: 'open creates', ok: false, found, remedy };
    }
    if (open.length === 0) return { check: 'open creates', ok: true, found };
    return {
      check: 'open creates',
      ok: false,
      found,
      remedy: settle ? remedyFor(provider) : 'customers-mcp doctor --settle looks for them at the provider.',
    };
  } catch (error) {
    if (!(error instanceof CustomerError)) throw error;
    return { check: 'open creates', ok: false, found: error.message };
  }
}

function remedyFor({ title, traits, findByExternalId }: Offer['desk']['provider']): string {
  if (findByExternalId)
    return `Call create_customer with the same ${traits.externalIdField} again: it looks first, and sends when that is safe.`;
  return `Look in ${title}: link_customer ties it when it is there, create_customer with resend: true sends it again when it is not.`;
}

function callOf(timeoutMs: number, signal: AbortSignal) {
  return { signal, deadline: performance.now() + timeoutMs };
}
