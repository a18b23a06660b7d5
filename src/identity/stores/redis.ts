import { createClient, defineScript, ErrorReply } from '@redis/client';
import { isSettled, readIntent, readIntents, STORE_DEADLINE_MS, TooLate, within, type Ledger } from '../ledger.ts';
import { KeyvStorage, type KeyValue } from './keyv-storage.ts';
import type { Store } from './store.ts';

// One hash tag, so that everything is on one node of a cluster.
const PREFIX = '{customers-mcp}:';
const OPEN = `${PREFIX}open`;
const CACHE = `${PREFIX}cache:`;
const MOST_PAUSE_MS = 2_000;

const NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)";

/** Row: state, epoch, owner, lease, data. Answers {owned, state, epoch, data, lease, now}. Nothing in it ever expires. */
const CLAIM = `${NOW}
  local state, epoch, lease, data = unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch', 'lease', 'data'))
  local owner, length, fresh, reopen = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
  if not state or state == 'GONE' then
    state, data, lease = 'PENDING', fresh, '0'
  elseif state == 'CONFLICT' or (state == 'DONE' and not reopen) or tonumber(lease) > now then
    return {0, state, epoch, data, lease, tostring(now)}
  elseif state == 'SENT' then
    state = 'UNSURE'
  end
  epoch = tostring(tonumber(epoch or '0') + 1)
  lease = string.format('%.0f', now + length)
  redis.call('HSET', KEYS[1], 'state', state, 'epoch', epoch, 'owner', owner, 'lease', lease, 'data', data)
  if state ~= 'DONE' then redis.call('ZADD', KEYS[2], lease, KEYS[1]) end
  return {1, state, epoch, data, lease, tostring(now)}`;

const ADVANCE = `${NOW}
  local state, epoch = unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch'))
  if state ~= ARGV[1] or epoch ~= ARGV[2] then return 0 end
  local to, length, check, data = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
  local lease = length == 0 and '0' or string.format('%.0f', now + length)
  redis.call('HSET', KEYS[1], 'state', to, 'lease', lease, 'data', data)
  if to == 'PENDING' or to == 'SENT' or to == 'UNSURE' then
    redis.call('ZADD', KEYS[2], now + math.max(length, check), KEYS[1])
  else
    redis.call('ZREM', KEYS[2], KEYS[1])
  end
  return 1`;

// Open rows are few: most are settled within a second.
const DUE = `${NOW}
  local rows = {}
  local prefix, limit, within = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now + within)) do
    if #rows == limit then break end
    if string.sub(key, 1, #prefix) == prefix then
      local state, epoch, data, lease = unpack(redis.call('HMGET', key, 'state', 'epoch', 'data', 'lease'))
      if lease and tonumber(lease) <= now then table.insert(rows, {key, state, epoch, data}) end
    end
  end
  return rows`;

const scripts = {
  claim: script(CLAIM, 2),
  advance: script(ADVANCE, 2),
  due: script(DUE, 1),
};

/** Redis or Valkey. Leases by the server's clock. It starts, and comes back, by itself; while it is away every call fails, within the deadline. */
export function redisStore(url: string): Store {
  let current: Connection | undefined;

  /**
   * Work on a connection that is up, within the deadline. A connection that overran it is dropped: it may be dead without
   * anybody having said so, and its queue would be worked off at a time when nobody waits for it any more.
   */
  const use = async <T>(work: (client: Connection['client']) => Promise<T>): Promise<T> => {
    const mine = (current ??= connect(url));
    try {
      await within(STORE_DEADLINE_MS, mine.ready);
      return await within(STORE_DEADLINE_MS, work(mine.client));
    } catch (error) {
      if (error instanceof TooLate && current === mine) {
        current = undefined;
        mine.client.destroy();
      }
      throw error;
    }
  };

  const ledger: Ledger = {
    async claim(key, { owner, leaseMs, data, reopen }) {
      const values = [owner, String(leaseMs), JSON.stringify(data), reopen ? '1' : '0'];
      const answer = await use((client) => client.claim([PREFIX + key, OPEN], values));
      const [owned, state, epoch, json, lease, now] = listOf(answer);
      const intent = readIntent({ key, state, epoch, data: json });
      if (owned === 1) return { kind: 'owned', intent };
      const retryInMs = Math.max(0, Number(lease) - Number(now));
      return isSettled(intent, reopen) ? { kind: 'settled', intent } : { kind: 'busy', retryInMs };
    },

    async advance({ key, epoch, state }, to) {
      const { leaseMs, checkInMs = 0 } = to;
      const values = [state, String(epoch), to.state, String(leaseMs), String(checkInMs), JSON.stringify(to.data)];
      return (await use((client) => client.advance([PREFIX + key, OPEN], values))) === 1;
    },

    async get(key) {
      const row = await use((client) => client.hGetAll(PREFIX + key));
      return row['state'] === undefined ? undefined : readIntent({ ...row, key });
    },

    async due(prefix, limit, withinMs) {
      const values = [PREFIX + prefix, String(limit), String(withinMs)];
      const rows = listOf(await use((client) => client.due([OPEN], values)));
      const named = rows
        .map(listOf)
        .map(([key, state, epoch, data]) => ({ key: String(key).slice(PREFIX.length), state, epoch, data }));
      return readIntents(named);
    },
  };

  const cacheKeys = async (client: Connection['client']): Promise<string[]> => {
    const found: string[] = [];
    for await (const keys of client.scanIterator({ MATCH: `${CACHE}*`, COUNT: 500 })) found.push(...keys);
    return found;
  };
  const cache: KeyValue = {
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

  return {
    ledger,
    cache: new KeyvStorage(cache),
    async warnings() {
      try {
        return unsafeSettings(
          await use((client) => client.configGet(['appendonly', 'appendfsync', 'maxmemory-policy'])),
        );
      } catch (error) {
        if (!(error instanceof ErrorReply)) throw error;
        // A Redis that others run may forbid the question; it answers all the same.
        return [
          'Redis does not tell its settings. Make sure that it has appendfsync always and maxmemory-policy noeviction.',
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
    async close() {
      current?.client.destroy();
    },
  };
}

type Connection = ReturnType<typeof connect>;

function connect(url: string) {
  const client = createClient({
    url,
    scripts,
    disableOfflineQueue: true,
    socket: {
      connectTimeout: STORE_DEADLINE_MS,
      reconnectStrategy: (attempts) => Math.min(50 * 2 ** attempts, MOST_PAUSE_MS),
    },
  });
  // Without a listener a dropped connection ends the process.
  client.on('error', () => {});
  const ready = client.connect();
  // Whoever waits for it hears of it; when nobody does, nothing has happened.
  ready.catch(() => {});
  return { client, ready };
}

/** Settings under which Redis may forget a row that it has confirmed; each can let a customer be created twice. */
function unsafeSettings(settings: Readonly<Record<string, string>>): string[] {
  const { appendonly, appendfsync, 'maxmemory-policy': policy } = settings;
  return [
    ...(appendonly === 'no'
      ? [
          'Redis keeps nothing on disk (appendonly no): a restart forgets which customers were being created. Set appendonly yes and appendfsync always.',
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

function script(text: string, keys: number) {
  return defineScript({
    NUMBER_OF_KEYS: keys,
    SCRIPT: text,
    parseCommand(parser, names: string[], values: string[]) {
      parser.pushKeys(names);
      parser.push(...values);
    },
    transformReply: (reply: unknown): unknown => reply,
  });
}

function listOf(reply: unknown): readonly unknown[] {
  if (!Array.isArray(reply)) throw new Error('Redis answered with something unexpected');
  return reply;
}
