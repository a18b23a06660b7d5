import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { CompleteRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { cleanText } from '../text.ts';
import type { Desk } from '../tools/run-tool.ts';
import type { Tool } from '../tools/tool.ts';
import type { Running } from './running.ts';

const MOST_VALUES = 100;
/** A person is typing; a list that comes later than this is of no use. */
const PATIENCE_MS = 3_000;

/**
 * Completes external ids and names, of prompts and of resources alike, from the provider's customers. Silent when the provider
 * cannot be asked or where searching is not offered: a completion that fails must not keep anybody from typing on.
 */
export function serveCompletions(server: Server, tools: readonly Tool[], { provider }: Desk, running: Running): void {
  const { traits } = provider;
  const maySearch = tools.some(({ name }) => name === 'search_customer');
  server.setRequestHandler(CompleteRequestSchema, async ({ params: { argument } }, { signal }) => {
    const isExternalId = argument.name === traits.externalIdField;
    const filter = isExternalId ? traits.externalIdFilter : traits.nameFilter;
    const known = isExternalId ? provider.findByExternalId !== undefined : argument.name === 'name';
    if (!known || !maySearch) return { completion: { values: [] } };
    const typed = argument.value.toLowerCase();
    const query = {
      [traits.limitField]: MOST_VALUES,
      ...(filter !== undefined && typed !== '' && { [filter]: argument.value }),
    };
    const { customers, hasMore } = await running.run(signal, (over) => {
      const call = { signal: over, deadline: performance.now() + PATIENCE_MS };
      return provider.searchCustomers(query, call).catch(() => ({ customers: [], hasMore: false }));
    });
    const values = customers
      .flatMap(({ externalId, name }) => (isExternalId ? externalId : name) ?? [])
      .map((value) => cleanText(value))
      .filter((value) => value.toLowerCase().includes(typed));
    return { completion: { values: [...new Set(values)].slice(0, MOST_VALUES), hasMore } };
  });
}
