import { CustomerError, NOTHING_SENT } from '../errors.ts';

/**
 * How a request may be repeated if its outcome is unknown. `read` and `idempotent` are sent again; a `create` only if it is
 * known not to have run.
 */
export type Effect = 'read' | 'idempotent' | 'create';

export interface HttpRequest {
  readonly effect: Effect;
  /** The path names one customer, so a 404 refers to that customer. */
  readonly byId?: boolean;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Relative to the base URL; use {@link path} for every path with a value. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A path from a template, in which each value is encoded into its own segment.
 * @throws CustomerError `invalid_input` for `.` and `..`, which servers resolve even if they are escaped.
 */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((whole, part, index) => whole + segment(values[index - 1] ?? '') + part);
}

function segment(value: string): string {
  if (value === '' || value === '.' || value === '..' || !value.isWellFormed()) {
    throw new CustomerError('invalid_input', `${JSON.stringify(value)} is not a valid id.`, {
      assurance: NOTHING_SENT,
    });
  }
  return encodeURIComponent(value);
}

/** The encoded body and its content type. */
export function bodyOf({ json, form }: HttpRequest): { contentType?: string; payload?: string } {
  if (json !== undefined) return { contentType: 'application/json', payload: JSON.stringify(json) };
  if (form) return { contentType: 'application/x-www-form-urlencoded', payload: new URLSearchParams(form).toString() };
  return {};
}

/** The query with its question mark, or an empty string. */
export function queryString(query: HttpRequest['query']): string {
  const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}
