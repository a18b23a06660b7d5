const LONGEST_TEXT = 2_000;
const DEEPEST = 12;

// C0 and C1 controls but tab and newline, soft hyphen, bidi marks, embeddings and isolates, zero-width space (not the joiners, which scripts need), line
// separators, byte-order mark, interlinear annotation, and the tag block that hides ASCII.
const INVISIBLE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** One string from outside, made safe to show: nothing invisible, and cut with a mark when it is long. */
export function cleanText(text: string, longest = LONGEST_TEXT): string {
  const visible = text.replace(INVISIBLE, '');
  if (visible.length <= longest) return visible;
  return `${visible.slice(0, longest).replace(/[\ud800-\udbff]$/, '')}… [cut, ${visible.length} characters in all]`;
}

/** A provider's sentence for use within ours: cleaned, on one line, at most 300 characters. */
export function quote(text: string): string {
  const line = text.replace(INVISIBLE, '').replace(/\s+/g, ' ').trim();
  return line.length <= 300 ? line : `${line.slice(0, 299)}…`;
}

/**
 * A JSON value from outside, made safe to show. Works on a copy: what is merged and sent back stays raw. Keys are copied as
 * own properties, so a `__proto__` among them is data like any other.
 */
export function cleanValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEEPEST) return '… [cut, nested too deeply]';
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleanText(key), cleanValue(item, depth + 1)]));
}

/** JSON in which nothing is escaped or other than visible ASCII, and JSON that may be nested too deeply. */
const PLAIN_JSON = /^[ -[\]-~]*$/;
const DEEP_JSON = new RegExp(`(?:[[{][^[{]*){${DEEPEST}}`);

/** An object from outside, made safe to show, and its JSON. */
export function cleanObject(value: Readonly<Record<string, unknown>>): {
  readonly value: Readonly<Record<string, unknown>>;
  readonly json: string;
} {
  const json = JSON.stringify(value);
  // Most answers are short and plain, and then so is every text in them.
  if (json.length <= LONGEST_TEXT && PLAIN_JSON.test(json) && !DEEP_JSON.test(json)) return { value, json };
  const cleaned = cleanValue(value);
  return { value: isRecord(cleaned) ? cleaned : {}, json: JSON.stringify(cleaned) };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as text, if it is a string with something in it or a whole number, as ids and codes sometimes are. */
export function textOf(value: unknown): string | undefined {
  if (Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
