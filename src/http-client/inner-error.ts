import { isRecord, textOf } from '../text.ts';

type Body = Readonly<Record<string, unknown>>;

/** An error with a success status, as envelopes can contain it: `{success: false}`, `{errors: […]}`, `{status: 422}`. */
export interface InnerError {
  /** The HTTP status that the error names, as a number or by name (`NOT_FOUND`). */
  readonly status: number | undefined;
  /** The same answer also reports success or contains a result, so it is unclear which of the two is true. */
  readonly contradictory: boolean;
}

/** The error inside a body; `undefined` if there is none. Empty lists, empty texts and warnings are not errors. */
export function findInnerError(body: unknown): InnerError | undefined {
  if (!isRecord(body)) return undefined;
  const named = [body['status'], body['statusCode'], body['code']].find(isErrorStatus);
  const hasResult = holdsResult(body);
  const failed = body['success'] === false;
  if (!failed && !isGiven(body['errors']) && !isGiven(body['error']) && (named === undefined || hasResult))
    return undefined;
  return {
    status: named === undefined ? statusOfCode(body['code']) : Number(named),
    contradictory: !failed && (hasResult || body['success'] === true),
  };
}

/** The error text of a body, in any common form. */
export function wordsOf(body: unknown): string | undefined {
  if (Array.isArray(body)) return body.flatMap((item) => wordsOf(item) ?? []).join('; ') || undefined;
  if (!isRecord(body)) return textOf(body);
  const own = ['message', 'detail', 'description', 'title'].flatMap((name) => textOf(body[name]) ?? []);
  return own[0] ?? wordsOf(body['error']) ?? wordsOfErrors(body['errors']);
}

/** The text of a list of errors, or of errors by field name. */
function wordsOfErrors(errors: unknown): string | undefined {
  if (!isRecord(errors)) return errors === undefined ? undefined : wordsOf(errors);
  const clauses = Object.entries(errors).map(([field, error]) => `${field}: ${wordsOf(error) ?? 'refused'}`);
  return clauses.join('; ') || undefined;
}

/** A customer or a token, bare or in an envelope. */
function holdsResult(body: Body): boolean {
  return [body, body['data']].some(
    (part) => isRecord(part) && ['id', 'access_token'].some((name) => textOf(part[name])),
  );
}

function isErrorStatus(value: unknown): boolean {
  return /^[45]\d\d$/.test(textOf(value) ?? '');
}

function isGiven(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isRecord(value) ? Object.keys(value).length > 0 : value === true || textOf(value) !== undefined;
}

/** HTTP's reason phrases, and common alternatives. */
const STATUS_OF: ReadonlyMap<string, number> = new Map([
  ['badrequest', 400],
  ['unauthorized', 401],
  ['forbidden', 403],
  ['notfound', 404],
  ['conflict', 409],
  ['duplicate', 409],
  ['alreadyexists', 409],
  ['gone', 410],
  ['toomanyrequests', 429],
  ['ratelimited', 429],
  ['internalservererror', 500],
  ['serviceunavailable', 503],
]);

/** `NOT_FOUND`, `notFound` and `Not Found` are all 404. */
function statusOfCode(code: unknown): number | undefined {
  return STATUS_OF.get((textOf(code) ?? '').toLowerCase().replace(/[^a-z]/g, ''));
}
