import { createClient, ErrorReply } from '@redis/client';
import { KeyvStorage, type KeyValue } from './keyv-adapter.ts';
import { scripts } from './redis-scripts.ts';
import {
  customerIdIn,
  DUE_STATES,
  RECORDED_STATE,
  remainingLease,
  rowOf,
  type PageQuery,
  type Row,
  type RowPage,
  type Rows,
  type Store,
  type StoredRow,
} from './store.ts';
import { STORE_TIMEOUT_MS, TimeoutError, withTimeout } from './timeout.ts';

// One hash tag, so that all keys are on one node of a cluster.
const PREFIX = '{customers-mcp}:';
const OPEN = `${PREFIX}open`;
const CACHE = `${PREFIX}cache:`;
/** Begins the names of the sets of rows by customer. */
const CUSTOMER = `${PREFIX}of:`;
/** Exists when the sets are complete. */
const INDEXED = `${PREFIX}indexed`;
const MAX_PAUSE_MS = 2_000;

/**
 * Redis or Valkey. Leases use the server's clock. The client connects and reconnects by itself; while the server is down, every
 * call fails within the time limit.
 */
export function redisStore(url: string): Store {
  const { use, close } = connector(url);
  return {
    rows: redisRows(use),
    cache: new KeyvStorage(redisKeyValue(use)),
    async sweep(limit) {
      await use((client) => client.sweepRows([OPEN], [String(limit)]));
    },
    async warnings() {
      try {
        return unsafeSettings(
          await use((client) => client.configGet(['appendonly', 'appendfsync', 'maxmemory-policy'])),
        );
      } catch (error) {
        if (!(error instanceof ErrorReply)) throw error;
        // A managed Redis may forbid CONFIG, although it works.
        return [
          'Redis does not reveal its settings. Make sure that it has appendfsync always and maxmemory-policy noeviction.',
        ];
      }
    },
    async rateLimiter(options) {
      const { RateLimiterRedis } = await import('rate-limiter-flexible');
      const storeClient = {
        eval: (text: string, values: { keys: string[]; arguments: string[] }) =>
          use((client) => client.eval(text, values)),
      };
      return new RateLimiterRedis({ ...options, storeClient, useRedisPackage: true });
    },
    close,
  };
}

type Connection = ReturnType<typeof connect>;
type Use = <T>(work: (client: Connection['client']) => Promise<T>) => Promise<T>;

function connector(url: string): { readonly use: Use; close(): Promise<void> } {
  let current: Connection | undefined;

  /**
   * Runs work on an open connection, within the time limit. A connection that exceeds it is dropped: it may be dead unnoticed,
   * and its queue would run later, when no caller waits for the answers.
   */
  const use: Use = async (work) => {
    const mine = (current ??= connect(url));
    try {
      await withTimeout(STORE_TIMEOUT_MS, mine.ready);
      return await withTimeout(STORE_TIMEOUT_MS, work(mine.client));
    } catch (error) {
      if (error instanceof TimeoutError && current === mine) {
        current = undefined;
        mine.client.destroy();
      }
      throw error;
    }
  };

  return {
    use,
    async close() {
      current?.client.destroy();
    },
  };
}

function redisRows(use: Use): Rows {
  const isListed = (state: string): string => (DUE_STATES.includes(state) ? '1' : '0');
  let indexed: Promise<void> | undefined;
  const stored = (key: string, answer: unknown): StoredRow | undefined => {
    if (answer === null) return undefined;
    const [state, epoch, data, lease, now] = listOf(answer);
    return { ...rowOf({ key, state, epoch, data }), leasedMs: remainingLease(Number(lease) - Number(now)) };
  };
  return {
    async insert({ key, state, epoch, data, leaseMs }) {
      const values = [state, String(epoch), data, String(leaseMs), '0', isListed(state)];
      return stored(key, await use((client) => client.insertRow(keysOf({ key, state, data }), values)));
    },

    async read(key) {
      return stored(key, await use((client) => client.readRow([PREFIX + key], [])));
    },

    async replace({ key, state, epoch }, { state: to, data, leaseMs, checkInMs }) {
      const next = [to, String(epoch + 1), data, String(leaseMs), String(checkInMs), isListed(to)];
      const keys = keysOf({ key, state: to, data });
      return (await use((client) => client.replaceRow(keys, [state, String(epoch), ...next]))) === 1;
    },

    async remove({ key, state, epoch }) {
      return (await use((client) => client.removeRow([PREFIX + key, OPEN], [state, String(epoch)]))) === 1;
    },

    async due({ prefix, limit, withinMs, limitEach = 0 }) {
      const values = [PREFIX + prefix, String(limit), String(withinMs), String(limitEach)];
      return listed(await use((client) => client.dueRows([OPEN], values)));
    },

    async findByCustomerId(prefix, customerIds) {
      await (indexed ??= indexOlderRows(use).catch((error: unknown) => {
        indexed = undefined;
        throw error;
      }));
      const sets = customerIds.map((id) => CUSTOMER + prefix + id);
      const rows = sets.length === 0 ? [] : listed(await use((client) => client.indexedRows(sets, [])));
      return rows
        .filter(({ state, data }) => state === RECORDED_STATE && customerIds.includes(customerIdIn(data) ?? ''))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
    },

    list: (query) => listRows(use, query),
  };
}

async function listRows(use: Use, { prefix, limit, cursor: from = '0' }: PageQuery): Promise<RowPage> {
  const MATCH = `${(PREFIX + prefix).replace(/[*?[\]\\]/g, String.raw`\$&`)}*`;
  const { cursor, keys } = await use((client) => client.scan(from, { MATCH, COUNT: limit }));
  const found = keys.length === 0 ? [] : listOf(await use((client) => client.listRows(keys, []))).map(listOf);
  const rows = found.map(([key, state, epoch, data, lease, now]) => ({
    ...rowOf({ key: String(key).slice(PREFIX.length), state, epoch, data }),
    leaseEndsInMs: Number(lease) - Number(now),
  }));
  return { rows, cursor: cursor === '0' ? undefined : cursor };
}

/** The rows in the answer of a script. */
function listed(answer: unknown): Row[] {
  return listOf(answer)
    .map(listOf)
    .map(([key, state, epoch, data]) => rowOf({ key: String(key).slice(PREFIX.length), state, epoch, data }));
}

/** The keys that a script needs to write a row. */
function keysOf({ key, state, data }: Pick<Row, 'key' | 'state' | 'data'>): string[] {
  const customerId = state === RECORDED_STATE ? customerIdIn(data) : undefined;
  const set = customerId === undefined ? [] : [CUSTOMER + key.slice(0, key.lastIndexOf('/') + 1) + customerId];
  return [PREFIX + key, OPEN, ...set];
}

/**
 * Adds the rows of older versions, which had no sets, to the sets. Runs once for all processes; if a process ends in between, the
 * next one starts again.
 */
async function indexOlderRows(use: Use): Promise<void> {
  if ((await use((client) => client.exists(INDEXED))) === 1) return;
  let cursor = '0';
  do {
    const found = await use((client) => client.scan(cursor, { MATCH: `${PREFIX}v1/*`, COUNT: 500, TYPE: 'hash' }));
    cursor = found.cursor;
    await Promise.all(found.keys.map((name) => use((client) => indexRow(client, name))));
  } while (cursor !== '0');
  await use((client) => client.set(INDEXED, '1'));
}

async function indexRow(client: Connection['client'], name: string): Promise<void> {
  const [state, data] = await client.hmGet(name, ['state', 'data']);
  const [, , set] = keysOf({ key: name.slice(PREFIX.length), state: state ?? '', data: data ?? '' });
  if (set !== undefined) await client.sAdd(set, name);
}

function redisKeyValue(use: Use): KeyValue {
  const cacheKeys = async (client: Connection['client']): Promise<string[]> => {
    const found: string[] = [];
    for await (const keys of client.scanIterator({ MATCH: `${CACHE}*`, COUNT: 500 })) found.push(...keys);
    return found;
  };
  return {
    async get(key) {
      return (await use((client) => client.get(CACHE + key))) ?? undefined;
    },
    async set(key, value, expires) {
      const options = expires === undefined ? {} : { expiration: { type: 'PXAT', value: Math.ceil(expires) } as const };
      await use((client) => client.set(CACHE + key, value, options));
    },
    async delete(key) {
      return (await use((client) => client.del(CACHE + key))) > 0;
    },
    async clear() {
      const keys = await use(cacheKeys);
      if (keys.length > 0) await use((client) => client.del(keys));
    },
    async *entries() {
      const keys = await use(cacheKeys);
      const values = keys.length > 0 ? await use((client) => client.mGet(keys)) : [];
      for (const [index, value] of values.entries()) {
        if (value !== null) yield [String(keys[index]).slice(CACHE.length), value];
      }
    },
  };
}

function connect(url: string) {
  const client = createClient({
    url,
    scripts,
    disableOfflineQueue: true,
    socket: {
      connectTimeout: STORE_TIMEOUT_MS,
      reconnectStrategy: (attempts) => Math.min(50 * 2 ** attempts, MAX_PAUSE_MS),
    },
  });
  // Without a listener, a dropped connection would end the process.
  client.on('error', () => {});
  const ready = client.connect();
  // Callers that wait get the error; without callers, it does not matter.
  ready.catch(() => {});
  return { client, ready };
}

/** Settings with which Redis can lose confirmed rows, and so allow duplicates. */
function unsafeSettings(settings: Readonly<Record<string, string>>): string[] {
  const { appendonly, appendfsync, 'maxmemory-policy': policy } = settings;
  return [
    ...(appendonly === 'no'
      ? [
          'Redis stores nothing on disk (appendonly no): a restart loses the records of creates. Set appendonly yes and appendfsync always.',
        ]
      : []),
    ...(appendonly === 'yes' && appendfsync !== 'always'
      ? [`Redis may lose its last second (appendfsync ${appendfsync}). Set appendfsync always.`]
      : []),
    ...(policy !== undefined && policy !== 'noeviction'
      ? [`Redis may evict rows (maxmemory-policy ${policy}). Set maxmemory-policy noeviction.`]
      : []),
  ];
}

function listOf(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw new Error('unexpected answer from Redis');
  return reply;
}
