import type { Row, RowChange } from '../stores/store.ts';
import { isRecord } from '../text.ts';
import { states, type Intent, type IntentData, type State } from './intent.ts';

/**
 * The spelling of states in the store: that of version 0.1.0, which differs from the code. It is kept so that servers of two
 * versions can share a store during an upgrade, and so that an upgrade can be rolled back.
 */
const STORED: Readonly<Record<State, string>> = {
  PENDING: 'PENDING',
  SENT: 'SENT',
  UNKNOWN: 'UNSURE',
  DONE: 'DONE',
  CONFLICT: 'CONFLICT',
  RELEASED: 'GONE',
};

export function storedState(state: State): string {
  return STORED[state];
}

/** The columns of an intent. */
export function encodeIntent(state: State, data: IntentData): Pick<RowChange, 'state' | 'data'> {
  const { salt, externalId, fingerprint, sentAt, committed, customerId, excludedIds, checks } = data;
  const stored = {
    op: salt,
    externalId,
    fields: fingerprint,
    sentAt,
    committed,
    remoteId: customerId,
    before: excludedIds,
    checks,
  };
  return { state: STORED[state], data: JSON.stringify(stored) };
}

/**
 * The intent in a row.
 * @throws Error for a row that is damaged or is not an intent; no decision may be based on it.
 */
export function decodeIntent({ key, state: stored, epoch, data: json }: Row): Intent {
  const state = states.find((name) => STORED[name] === stored);
  const data = readData(JSON.parse(json));
  if (!state || !data || !Number.isSafeInteger(epoch) || (state === 'DONE' && !data.customerId))
    throw new Error('the ledger contains an unreadable row');
  return { key, state, epoch, data };
}

/** The readable rows. A damaged row must not prevent the others from being resolved. */
export function decodeIntents(rows: readonly Row[]): Intent[] {
  return rows.flatMap((row) => {
    try {
      return [decodeIntent(row)];
    } catch {
      return [];
    }
  });
}

function readData(stored: unknown): IntentData | undefined {
  if (!isRecord(stored)) return undefined;
  const { op: salt, externalId, sentAt, committed, remoteId: customerId, checks } = stored;
  const fingerprint = isRecord(stored['fields']) ? textsIn(stored['fields']) : undefined;
  const excludedIds = stored['before'];
  if (typeof salt !== 'string' || typeof externalId !== 'string' || !fingerprint) return undefined;
  if (sentAt !== undefined && typeof sentAt !== 'number') return undefined;
  if (customerId !== undefined && typeof customerId !== 'string') return undefined;
  if (excludedIds !== undefined && !Array.isArray(excludedIds)) return undefined;
  return {
    salt,
    externalId,
    fingerprint,
    ...(sentAt !== undefined && { sentAt }),
    ...(committed === true && { committed }),
    ...(customerId !== undefined && { customerId }),
    ...(excludedIds && { excludedIds: excludedIds.map(String) }),
    ...(typeof checks === 'number' && { checks }),
  };
}

/** `undefined` if a value is not a string. */
function textsIn(record: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> | undefined {
  const texts = Object.entries(record).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string' ? [[name, value]] : [],
  );
  return texts.length === Object.keys(record).length ? Object.fromEntries(texts) : undefined;
}
