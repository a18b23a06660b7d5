import { startCall } from '../http-client/call.ts';
import { cleanText, isRecord } from '../text.ts';
import type { ServerContext } from '../tools/tool.ts';
import type { InFlight } from './in-flight.ts';
import { requiredText, type Method } from './method.ts';

const MAX_VALUES = 100;
/** The user is typing, so a later list is of no use. */
const TIMEOUT_MS = 3_000;

/**
 * Completes external ids and names, for prompts and for resources, from the provider's customers. Empty if the provider does
 * not respond or the search tool is not offered: a failed completion must not interrupt the user's typing.
 */
export function completionMethods({ tools, provider }: ServerContext, inFlight: InFlight): Record<string, Method> {
  const { traits } = provider;
  const maySearch = tools.some(({ name }) => name === 'search_customer');
  const complete: Method = async (params, exchange) => {
    const argument = isRecord(params['argument']) ? params['argument'] : {};
    const [name, value] = [requiredText(argument, 'name'), requiredText(argument, 'value')];
    const isExternalId = name === traits.externalIdField;
    const filter = isExternalId ? traits.externalIdFilter : traits.nameFilter;
    const known = isExternalId ? traits.externalIdKeptBy === 'provider' : name === 'name';
    if (!known || !maySearch) return { completion: { values: [] } };
    const typed = value.toLowerCase();
    const query = {
      [traits.limitField]: MAX_VALUES,
      ...(filter !== undefined && typed !== '' && { [filter]: value }),
    };
    const { customers, hasMore } = await inFlight.track(exchange, (signal) => {
      const call = startCall(signal, TIMEOUT_MS);
      return provider.searchCustomers(query, call).catch(() => ({ customers: [], hasMore: false }));
    });
    const values = customers
      .flatMap((customer) => (isExternalId ? customer.externalId : customer.name) ?? [])
      .map((found) => cleanText(found))
      .filter((found) => found.toLowerCase().includes(typed));
    return { completion: { values: [...new Set(values)].slice(0, MAX_VALUES), hasMore } };
  };
  return { 'completion/complete': complete };
}
