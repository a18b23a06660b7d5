import { defineScript } from '@redis/client';
import { MAX_CHECK_MS, MAX_LEASE_MS, RELEASED_MS, RELEASED_STATE } from './store.ts';

/** The sorted set of the rows in `RELEASED_STATE`, by the time of their release. */
const RELEASED = '{customers-mcp}:released';

// KEYS[1] is the row, a hash. KEYS[2] is the sorted set of the rows that `due` may list, by the time of their check. KEYS[3] is the
// set of all rows ever written for a customer; passed if the row records that customer.

const NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)";

/** Returns {state, epoch, data, end of the lease, now}, or nil without a row. */
const READ = `${NOW}
  local state, epoch, data, lease = unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch', 'data', 'lease'))
  if state then return {state, epoch, data, lease, tostring(now)} end`;

/** The rest of a script that writes a row: {state, epoch, data, ms of the lease, ms until the check, '1' where `due` lists the state}. */
const WRITE = `
  local state, epoch, data, length, check, listed = unpack(ARGV, #ARGV - 5)
  local lease = length == '0' and '0' or string.format('%.0f', now + length)
  redis.call(unpack(state == '${RELEASED_STATE}' and {'ZADD', '${RELEASED}', now, KEYS[1]} or {'ZREM', '${RELEASED}', KEYS[1]}))
  redis.call('HSET', KEYS[1], 'state', state, 'epoch', epoch, 'lease', lease, 'data', data)
  if listed == '1' then redis.call('ZADD', KEYS[2], now + check, KEYS[1]) else redis.call('ZREM', KEYS[2], KEYS[1]) end
  if KEYS[3] then redis.call('SADD', KEYS[3], KEYS[1]) end`;

const IS_CURRENT =
  "local current = redis.call('HMGET', KEYS[1], 'state', 'epoch') if current[1] ~= ARGV[1] or current[2] ~= ARGV[2] then return 0 end";

// The set is small, because most creates end within a second. A limit of 0 for each beginning of a key is none.
const DUE = `${NOW}
  local rows, turns, counts = {}, {}, {}
  local prefix, limit, within, each = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
  local function add(row)
    local account = each > 0 and string.match(row[1], '^.*/') or ''
    local turn = (counts[account] or 0) + 1
    if each > 0 and turn > each then return end
    counts[account] = turn
    table.insert(rows, row)
    turns[row] = {each > 0 and turn or 0, #rows}
  end
  local function collect(from, to)
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], from, to)) do
      if each == 0 and #rows == limit then return end
      if string.sub(key, 1, #prefix) == prefix then
        local state, epoch, data, lease = unpack(redis.call('HMGET', key, 'state', 'epoch', 'data', 'lease'))
        local left = lease and tonumber(lease) - now
        if left and (left <= 0 or left > ${MAX_LEASE_MS}) then add({key, state, epoch, data}) end
      end
    end
  end
  collect('-inf', now + within)
  collect('(' .. string.format('%.0f', now + math.max(within, ${MAX_CHECK_MS})), '+inf')
  table.sort(rows, function(a, b)
    local x, y = turns[a], turns[b]
    if x[1] ~= y[1] then return x[1] < y[1] end
    return x[2] < y[2]
  end)
  return {unpack(rows, 1, math.min(#rows, limit))}`;

/** Returns {key, state, epoch, data, end of the lease, now} for each of KEYS; only the key if it contains no row. */
const LIST = `${NOW}
  local rows = {}
  for _, key in ipairs(KEYS) do
    local row = redis.call('TYPE', key).ok == 'hash' and redis.call('HMGET', key, 'state', 'epoch', 'data', 'lease') or {}
    table.insert(rows, {key, row[1] or '', row[2] or '', row[3] or '', row[4] or '0', tostring(now)})
  end
  return rows`;

/**
 * Checks each row, because it may have been acquired again, even by a version that does not know the set. KEYS[1]: the set of
 * rows for `due`.
 */
const SWEEP = `${NOW}
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', '${RELEASED}', '-inf', now - ${RELEASED_MS}, 'LIMIT', 0, ARGV[1])) do
    local state, lease = unpack(redis.call('HMGET', key, 'state', 'lease'))
    local left = (tonumber(lease or 0) or 0) - now
    if state == '${RELEASED_STATE}' and (left <= 0 or left > ${MAX_LEASE_MS}) then redis.call('DEL', key) redis.call('ZREM', KEYS[1], key) end
    redis.call('ZREM', '${RELEASED}', key)
  end`;

/** Answers {key, state, epoch, data} of the rows in the sets KEYS. Rows that are gone leave the sets. */
const INDEXED = `
  local rows = {}
  for _, index in ipairs(KEYS) do
    for _, key in ipairs(redis.call('SMEMBERS', index)) do
      local state, epoch, data = unpack(redis.call('HMGET', key, 'state', 'epoch', 'data'))
      if state then table.insert(rows, {key, state, epoch, data}) else redis.call('SREM', index, key) end
    end
  end
  return rows`;

/** `insertRow` and `replaceRow` take what `WRITE` takes, the latter after the state and the epoch that the row must have. */
export const scripts = {
  insertRow: script(`${READ} ${WRITE}`),
  readRow: script(READ),
  replaceRow: script(`${IS_CURRENT} ${NOW} ${WRITE} return 1`),
  removeRow: script(
    `${IS_CURRENT} redis.call('DEL', KEYS[1]) redis.call('ZREM', KEYS[2], KEYS[1]) redis.call('ZREM', '${RELEASED}', KEYS[1]) return 1`,
  ),
  dueRows: script(DUE),
  listRows: script(LIST),
  sweepRows: script(SWEEP),
  indexedRows: script(INDEXED),
};

function script(text: string) {
  return defineScript({
    SCRIPT: text,
    parseCommand(parser, names: string[], values: string[]) {
      parser.push(String(names.length));
      parser.pushKeys(names);
      parser.push(...values);
    },
    transformReply: (reply: unknown): unknown => reply,
  });
}
