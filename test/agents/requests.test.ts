import { readFileSync } from 'node:fs';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect, type Connection } from '../support/client.ts';
import { SANDBOX } from '../support/process.ts';
import { kits } from '../support/providers.ts';
import { readSnapshot, UPDATE, writeSnapshot } from '../support/snapshots.ts';

/** Of all answers to the requests together. */
const MAX_TOKENS = 6_000;
const CUSTOMERS = 119;
const Count = z.object({ calls: z.number(), tokens: z.number() });
type Count = z.infer<typeof Count>;
const PAGE = readFileSync(new URL('../../docs/agents.md', import.meta.url), 'utf8');

describe.each(kits)('the requests of users at $title', (kit) => {
  let server: Connection;
  let request = '';
  const counted: Record<string, Count> = {};
  const named = (name: string, email: string, more = {}) => ({ ...kit.minimal(name, email), ...more });
  const own = (id: string) => ({ [kit.externalIdField]: id });

  beforeAll(async () => {
    server = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: kit.name, CUSTOMERS_CONFIRM: 'never' });
    const rows = Array.from({ length: CUSTOMERS - 3 }, (_, n) => ({
      ...named(`Handelshuis Nummer${n} B.V.`, `info@huis${n}.example`),
      ...own(`K-${n}`),
    }));
    const more = [
      {
        ...named('Bakkerij Jansen B.V.', 'info@jansen.example', kit.findable('030 123 45 67', 'Utrecht')),
        ...own('J-1'),
      },
      { ...named('Jansen Bakery', 'jan@bakery.example', kit.findable('030 765 43 21', 'Utrecht')), ...own('J-2') },
      { ...named('Müller GmbH', 'post@mueller.example'), ...own('00123') },
    ];
    const { data } = await server.call('import_customers', { rows: [...rows, ...more] });
    expect(data).toMatchObject({ counts: { created: CUSTOMERS } });
  }, 60_000);
  afterAll(() => server.close());

  /** Makes a call of the present request and counts it. */
  async function call(tool: string, args: Record<string, unknown>): Promise<Record<string, unknown>> {
    const { isError, text, data } = await server.call(tool, args);
    expect(isError, text).toBe(false);
    const before = counted[request] ?? { calls: 0, tokens: 0 };
    counted[request] = { calls: before.calls + 1, tokens: before.tokens + countTokens(text) };
    return data;
  }
  const find = (text: string) => call('search_customer', { find: text });

  const [phone = {}] = [kit.findable('020 111 22 33', 'Leiden')];
  const requests: Readonly<Record<string, () => Promise<void>>> = {
    'Do we have Bakkerij Jansen?': async () => void (await find('Bakkerij Jansen')),
    'Do we have Bakery Zwanenburg?': async () => void (await find('Zwanenburg')),
    'How many customers do we have?': async () => {
      expect((await call('search_customer', { [kit.limitField]: 1 }))['total']).toBe(CUSTOMERS);
    },
    'Who has no phone number?': async () => {
      const field = Object.keys(phone)[0];
      const data = await call('search_customer', { without: field, [kit.limitField]: 10 });
      expect(data).toMatchObject({ total: CUSTOMERS - 2, complete: true });
    },
    'Which customers are in Utrecht?': async () => {
      expect(await find('Utrecht')).toMatchObject({ total: 2, complete: true });
    },
    'Who called us from 030-1234567?': async () => {
      expect(await find('030-1234567')).toMatchObject({ total: 1, customers: [{ score: 1 }] });
    },
    'Which customer writes from POST@Mueller.example?': async () => void (await find('POST@Mueller.example')),
    'Show me everything about Muller.': async () => {
      const data = await find('Muller');
      const [row] = Array.isArray(data['customers']) ? data['customers'] : [];
      await call('get_customer', { customer_id: row.customer_id });
    },
    'Look up customer J-1.': async () => void (await call('get_customer', own('J-1'))),
    'Jansen has a new phone number.': async () => {
      await call('update_customer', { ...own('J-1'), ...phone });
    },
    'Add De Vries Transport.': async () => {
      await find('De Vries Transport');
      await call('create_customer', { ...named('De Vries Transport', 'info@devries.example'), ...own('V-1') });
    },
    'Add these six.': async () => {
      const rows = Array.from({ length: 6 }, (_, n) => ({
        ...named(`Nieuw Bedrijf Zes${n}`, `post@zes${n}.example`),
        ...own(`N-${n}`),
      }));
      await call('import_customers', { rows });
    },
    'Which of the two Jansens is which?': async () => void (await find('Jansen')),
    'Remove Jansen Bakery.': async () => void (await call('archive_customer', own('J-2'))),
  };

  it.each(Object.keys(requests))('%s', async (asked) => {
    request = asked;
    await requests[asked]?.();
    expect(PAGE).toContain(asked);
  });

  it('take few tokens together', () => {
    const tokens = Object.values(counted).reduce((sum, one) => sum + one.tokens, 0);
    expect(tokens).toBeLessThanOrEqual(MAX_TOKENS);
  });

  it('take the calls and about the tokens of the snapshot; UPDATE_SNAPSHOTS=1 accepts a change', () => {
    const kept = readSnapshot(kit.name, 'requests.json');
    const changed = Object.keys({ ...kept, ...counted }).filter((asked) => !isAbout(counted[asked], kept[asked]));
    if (changed.length > 0) writeSnapshot(kit.name, 'requests.json', counted);
    expect(UPDATE ? [] : changed).toEqual([]);
  });
});

/** Whether a request took the calls that it is expected to take. IDs are random, and so is the number of their tokens. */
function isAbout(count: Count | undefined, kept: unknown): boolean {
  const { data: expected } = Count.safeParse(kept);
  if (!count || !expected) return false;
  return count.calls === expected.calls && Math.abs(count.tokens - expected.tokens) <= 10 + count.tokens / 10;
}
