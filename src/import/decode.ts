import { UsageError } from '../errors.ts';

/** A text and the name of its encoding, as the menus of programs show it. */
export interface Decoded {
  readonly text: string;
  readonly encoding: string;
}

const SAMPLE_BYTES = 8_192;
/** The minimum number of valid special characters for each invalid one in a file that counts as damaged UTF-8. */
const MIN_VALID_FOR_EACH_INVALID = 2;

/**
 * The text of a file in any usual encoding, without its byte-order mark.
 * @throws UsageError for bytes that are not text.
 */
export function decode(bytes: Uint8Array, shown: string): Decoded {
  if (begins(bytes, 0xef, 0xbb, 0xbf)) return { text: decodeAs('utf-8', bytes), encoding: 'UTF-8' };
  if (begins(bytes, 0xff, 0xfe)) return { text: decodeAs('utf-16le', bytes), encoding: 'UTF-16' };
  if (begins(bytes, 0xfe, 0xff)) return { text: decodeAs('utf-16be', bytes), encoding: 'UTF-16' };
  const wide = wideEncoding(bytes);
  if (wide !== undefined) return { text: decodeAs(wide, bytes), encoding: 'UTF-16 without a mark' };
  if (bytes.includes(0))
    throw new UsageError(`${shown} contains NUL bytes and is not a text file. Export the customers as CSV or Excel.`);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), encoding: 'UTF-8' };
  } catch {
    return decodeBytes(bytes);
  }
}

/** Decodes invalid UTF-8, which is either UTF-8 with single broken bytes or an encoding with one byte per character. */
function decodeBytes(bytes: Uint8Array): Decoded {
  const text = decodeAs('utf-8', bytes);
  const broken = text.match(/\ufffd/g)?.length ?? 0;
  const good = text.match(/[\u0080-\ufffc]|[\u{10000}-\u{10ffff}]/gu)?.length ?? 0;
  if (good >= broken * MIN_VALID_FOR_EACH_INVALID) return { text, encoding: 'UTF-8 with broken characters' };
  const windows = decodeAs('windows-1252', bytes);
  const mac = decodeAs('macintosh', bytes);
  return likeliness(mac) > likeliness(windows)
    ? { text: mac, encoding: 'Mac Roman' }
    : { text: windows, encoding: 'Windows-1252' };
}

/** Detects UTF-16 without a mark, in which about every other byte of a Western text is 0. */
function wideEncoding(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const head = bytes.subarray(0, SAMPLE_BYTES);
  let even = 0;
  let odd = 0;
  for (const [index, byte] of head.entries()) {
    if (byte !== 0) continue;
    if (index % 2 === 0) even += 1;
    else odd += 1;
  }
  const half = head.length / 2;
  if (odd > half * 0.6 && even < half * 0.05) return 'utf-16le';
  if (even > half * 0.6 && odd < half * 0.05) return 'utf-16be';
  return undefined;
}

/** Scores a text: accented letters beside letters are likely, symbols and capitals inside words are not. */
function likeliness(text: string): number {
  const likely = text.match(
    /\p{L}[àâäáãåæçèéêëìíîïñòóôöõøœùúûüýÿß]|(?<!\p{L})[ÀÂÄÁÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖØÙÚÛÜ]\p{Ll}|[“‘’”–€]/gu,
  );
  // oxlint-disable-next-line no-control-regex
  const unlikely = text.match(/[\u0080-\u009f]|\p{Ll}[\p{Lu}\p{S}¶§†‡•]|[\p{S}¶§†‡•]\p{L}/gu);
  return (likely?.length ?? 0) - 2 * (unlikely?.length ?? 0);
}

function begins(bytes: Uint8Array, ...mark: readonly number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}

function decodeAs(label: string, bytes: Uint8Array): string {
  return new TextDecoder(label).decode(bytes);
}
