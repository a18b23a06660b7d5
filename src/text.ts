const MAX_TEXT = 2_000;
const MAX_DEPTH = 12;

/**
 * Invisible characters that can hide words or change the direction of the text around them: controls except tab and newline,
 * line separators, interlinear annotation, and everything that Unicode calls ignorable: fillers, joiners, variation selectors,
 * direction marks, tags.
 */
// oxlint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufff9-\ufffb\p{Default_Ignorable_Code_Point}]/v;

/** An emoji with its variation selector or skin tone. */
const PICTURE = String.raw`\p{Extended_Pictographic}[\ufe0e\ufe0f\p{Emoji_Modifier}]?`;
/** Letters and marks of scripts that need joiners: without them a Persian plural or a Sinhala conjunct is misspelled. */
const JOINABLE = String.raw`[[[\p{L}\p{M}]&&[\p{scx=Arab}\p{scx=Syrc}\p{scx=Mand}\p{scx=Mong}\p{scx=Nkoo}\p{scx=Phag}\p{scx=Deva}\p{scx=Beng}\p{scx=Guru}\p{scx=Gujr}\p{scx=Orya}\p{scx=Taml}\p{scx=Telu}\p{scx=Knda}\p{scx=Mlym}\p{scx=Sinh}\p{scx=Khmr}\p{scx=Mymr}\p{scx=Tibt}]]--\p{Default_Ignorable_Code_Point}]`;
/**
 * Sequences in which invisible characters are legitimate: the flags of England, Scotland and Wales; families and professions;
 * keycaps; joined letters.
 */
const WANTED = [
  String.raw`\p{RGI_Emoji_Tag_Sequence}`,
  String.raw`${PICTURE}(?:\u200d${PICTURE})*`,
  String.raw`[#*0-9]\ufe0f\u20e3`,
  String.raw`${JOINABLE}[\u200c\u200d]`,
].join('|');
const WANTED_OR_HIDDEN = new RegExp(`(${WANTED})|${HIDDEN.source}`, 'gv');

function withoutHidden(text: string): string {
  return HIDDEN.test(text) ? text.replace(WANTED_OR_HIDDEN, '$1') : text;
}

/** An external string, made safe to show: without invisible characters, and truncated with a mark if it is long. */
export function cleanText(text: string, max = MAX_TEXT): string {
  const visible = withoutHidden(text);
  if (visible.length <= max) return visible;
  return visible.slice(0, max).replace(/[\ud800-\udbff]$/, '') + mark(charactersInAll(visible.length));
}

const TOO_DEEP = 'nested too deeply';
const charactersInAll = (count: number | string): string => `${count} characters in all`;

/** The mark in place of what was cut off. */
function mark(reason: string): string {
  return `… [cut, ${reason}]`;
}

/** Every mark. Our own text is recognized here because an agent may send it back in a value, which would lose the rest of it. */
const MARK = new RegExp(mark(`(?:${charactersInAll(String.raw`\d+`)}|${TOO_DEEP})`).replace(/[[\]]/g, String.raw`\$&`));

/** Whether a value contains, at any depth, the mark of a truncated text. */
export function holdsCutMark(value: unknown): boolean {
  if (typeof value === 'string') return MARK.test(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsCutMark);
}

/** A provider's text for quoting in a message: cleaned, on one line, at most 300 characters. */
export function quote(text: string): string {
  const line = withoutHidden(text).replace(/\s+/g, ' ').trim();
  return line.length <= 300 ? line : `${line.slice(0, 299)}…`;
}

/**
 * An external JSON value, made safe to show. Works on a copy, because values that are merged and sent back must stay unchanged.
 * Keys are copied as own properties, so a `__proto__` among them is ordinary data.
 */
export function cleanValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return mark(TOO_DEEP);
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleanText(key), cleanValue(item, depth + 1)]));
}

/** JSON without escapes and in printable ASCII only. */
const PLAIN_JSON = /^[ -[\]-~]*$/;

/** An external object, made safe to show, and its JSON. */
export function cleanObject(value: Readonly<Record<string, unknown>>): {
  readonly value: Readonly<Record<string, unknown>>;
  readonly json: string;
} {
  const json = JSON.stringify(value);
  // Most answers are short and plain, and so are then all texts in them.
  if (json.length <= MAX_TEXT && PLAIN_JSON.test(json) && !isDeeper(value, MAX_DEPTH)) return { value, json };
  const cleaned = cleanValue(value);
  return { value: isRecord(cleaned) ? cleaned : {}, json: JSON.stringify(cleaned) };
}

/** Whether a value has more than so many levels. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as text, if it is a non-empty string or an integer, as ids and codes sometimes are. */
export function textOf(value: unknown): string | undefined {
  if (Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Whether a text can be an email address. */
export function looksLikeEmail(text: string): boolean {
  return /^[^\s@]+@[^\s@]+$/.test(text);
}

export const NO_EMAIL = 'is not an email address, such as name@example.com';
