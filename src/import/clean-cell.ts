import type { Remark } from './remark.ts';

/** A cell or a value as it is used, what was changed about it, and why it cannot be used. */
export interface Cleaned {
  readonly text: string;
  /** What was changed or looks doubtful. */
  readonly notice?: Remark;
  readonly problem?: Remark;
}

// What spreadsheets write in place of a value, in English, Dutch, German and French.
const SPREADSHEET_ERROR =
  /^#(?:N\/[AB]|NV|NULL!|NUL!|LEEG!|REF!|VERW!|BEZUG!|VALUE!|WAARDE!|WERT!|VALEUR!|NAME\?|NAAM\?|NOM\?|DIV\/0!|DEEL\/0!|NUM!|GETAL!|ZAHL!|NOMBRE!|SPILL!|CALC!|#+)$/i;
const NOTHING =
  /^(?:null|nil|n\/a|n\.v\.t\.?|nvt|k\. ?a\.|none|undefined|nan|-+|–|—|\?|\.|\(blank\)|\(leeg\)|\(leer\))$/i;
/** UTF-8 that was read as Windows-1252 and saved again: `CafÃ©`, `â€™`. */
const MOJIBAKE = /[ÃÂ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€[™œ\u009d¦“”šž]|Ã[ -]?(?=\p{L}*\b)[\u00a0-\u00bf]/u;
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&#039;': "'",
  '&apos;': "'",
  '&nbsp;': ' ',
};

/** The cleaning that every cell needs, whatever its column. */
export function cleanCell(raw: string): Cleaned {
  if (raw === '') return { text: '' };
  const damage = damageOf(raw);
  if (damage) return { text: '', problem: damage };
  let notice: Remark | undefined;
  let text = raw.replace(/[\u00a0\u2007\u202f]/g, ' ').trim();
  const visible = text.replace(INVISIBLE, '').trim();
  if (visible !== text) notice = { code: 'invisible', what: 'invisible characters were removed' };
  text = visible;
  if (SPREADSHEET_ERROR.test(text)) {
    const what = `contains a spreadsheet error (${text})`;
    return { text: '', problem: { code: 'spreadsheet_error', what, namesValue: true } };
  }
  if (/^'(?=[\d+=@-])/.test(text)) {
    text = text.slice(1);
    notice = { code: 'apostrophe', what: 'the apostrophe that Excel puts before a number was removed' };
  }
  if (text.startsWith('=') && text.length > 1)
    return { text: '', problem: { code: 'formula', what: 'contains a formula' } };
  if (/&(?:amp|lt|gt|quot|apos|nbsp|#0?39);/.test(text)) {
    text = text.replace(/&(?:amp|lt|gt|quot|apos|nbsp|#0?39);/g, (entity) => ENTITIES[entity] ?? entity);
    notice = { code: 'entities', what: 'HTML codes such as &amp; became characters' };
  }
  if (NOTHING.test(text)) {
    const what = `${JSON.stringify(text)} counts as empty`;
    return { text: '', notice: { code: 'empty', what, namesValue: true } };
  }
  return { text, ...(notice && { notice }) };
}

/** What was lost before the file was read. */
function damageOf(raw: string): Remark | undefined {
  if (CONTROL.test(raw)) return { code: 'control', what: 'contains control characters' };
  if (raw.includes('\ufffd'))
    return { code: 'lost', what: 'contains a character that was lost when the file was saved (\ufffd)' };
  if (MOJIBAKE.test(raw))
    return {
      code: 'garbled',
      what: 'contains garbled characters, as in "CafÃ©" for "Café"; in the program that wrote it, save the file again as UTF-8',
    };
  return undefined;
}
