import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanObject, cleanText, cleanValue, holdsCutMark, quote } from '../src/text.ts';

/** Texts, including plain ones, long ones, and ones that must be cleaned. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\u202eevil', 'line\nbreak', 'a"quote\\', 'tag\u{e0041}', '[[[[[[[[[[[[['),
  fc.integer({ min: 1_900, max: 2_100 }).map((length) => 'x'.repeat(length)),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 16 }, text, fc.integer(), fc.boolean(), fc.constant(null), tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 3 }),
  object: fc.dictionary(text, tie('value'), { maxKeys: 3 }),
}));
const nested = fc.tuple(fc.integer({ min: 1, max: 15 }), text).map(([depth, inner]) => {
  let whole: unknown = inner;
  for (let level = 0; level < depth; level += 1) whole = level % 2 === 0 ? { a: whole } : [whole];
  return { whole };
});

describe('an object made safe to show', () => {
  it('equals the object with each part cleaned, and so does its JSON', () => {
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(text, value), nested), (object) => {
        const { value: shown, json } = cleanObject(object);
        expect(shown).toEqual(cleanValue(object));
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(cleanValue(object))));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a text made safe to show', () => {
  const cases: readonly (readonly [what: string, from: string, to: string])[] = [
    ['variation selectors that carry data', 'a\ufe00\ufe0f\u{e0100}\u{e01ef}b', 'ab'],
    ['a selector after a digit', '1\ufe0f2', '12'],
    ['Mongolian selectors', 'x\u180b\u180c\u180d\u180e\u180fy', 'xy'],
    ['Hangul fillers', '\u115f\u1160\u3164\uffa0kim', 'kim'],
    ['the grapheme joiner', 'a\u034fb', 'ab'],
    ['invisible Khmer vowels', 'a\u17b4\u17b5b', 'ab'],
    ['joiners between Latin letters', 'a\u200db\u200cc', 'abc'],
    ['a joiner before an emoji', 'a\u200d\u{1f525}', 'a\u{1f525}'],
    ['joiners after an emoji', '\u{1f525}\u200d\u200d\u{1f525}', '\u{1f525}\u{1f525}'],
    ['more than one joiner after a letter that joins', '\u0645\u200c\u200c\u200d\u06cc', '\u0645\u200c\u06cc'],
    ['zero-width spaces, marks of direction, soft hyphens', 'a\u200b\u200e\u202e\u2066\u00ad\ufeffb', 'ab'],
    ['tags that hide ASCII', '\u{1f525}\u{e0048}\u{e0049}\u{e007f}', '\u{1f525}'],
    ['a black flag with tags of its own', '\u{1f3f4}\u{e0061}\u{e0062}\u{e007f}', '\u{1f3f4}'],
    ['controls', 'a\u001b[31mb\u0085c\u2028d', 'a[31mbcd'],
    ['invisible characters of musical notation and shorthand', 'a\u{1d173}\u{1bca0}b', 'ab'],
  ];
  it.each(cases)('loses %s', (_, from, to) => {
    expect(cleanText(from)).toBe(to);
    expect(quote(from)).toBe(to);
  });

  it.each([
    ['a family', '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'],
    ['a heart in emoji and in text presentation', '\u2764\ufe0f \u2764\ufe0e'],
    ['a couple with a heart', '\u{1f469}\u200d\u2764\ufe0f\u200d\u{1f468}'],
    ['the same without the selector', '\u{1f469}\u200d\u2764\u200d\u{1f468}'],
    ['a profession with a skin tone', '\u{1f469}\u{1f3fd}\u200d\u2695\ufe0f'],
    ['a rainbow flag', '\u{1f3f3}\ufe0f\u200d\u{1f308}'],
    ['a keycap', '1\ufe0f\u20e3 #\ufe0f\u20e3'],
    ['the flag of Scotland', '\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}'],
    ['the flag of the Netherlands', '\u{1f1f3}\u{1f1f1}'],
    ['a Persian plural', '\u06a9\u062a\u0627\u0628\u200c\u0647\u0627'],
    ['a Sinhala conjunct', '\u0dc1\u0dca\u200d\u0dbb\u0dd3'],
    ['a Hindi half form', '\u0915\u094d\u200d\u0937'],
    ['a Malayalam chillu at the end of a word', '\u0d05\u0d35\u0d28\u0d4d\u200d'],
    ['letters with marks, and other scripts', 'Zo\u0308e \u00e9 \u4e2d\u6587 \ud55c\uae00 \u0e44\u0e17\u0e22'],
    ['lines and tabs', 'a\tb\nc'],
  ])('keeps %s', (_, text) => {
    expect(cleanText(text)).toBe(text);
  });

  it('is idempotent, and leaves no ignorable characters except joiners, selectors and flags', () => {
    const unit = fc.oneof(
      fc.constantFrom('\u200c', '\u200d', '\ufe0e', '\ufe0f', '\u20e3', '\u{e0067}', '\u{e007f}', '\u3164', '\u200b'),
      fc.constantFrom('\u{1f469}', '\u2764', '\u{1f3fd}', '\u{1f3f4}', '1', '#', 'a', '\u0645', '\u0d4d', '\u{1f1f3}'),
      fc.string({ unit: 'binary', maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), (units) => {
        const once = cleanText(units.join(''));
        expect(cleanText(once)).toBe(once);
        const rest = once.replace(/\u200c|\u200d|\ufe0e|\ufe0f|[\u{e0020}-\u{e007f}]/gu, '');
        expect(rest).not.toMatch(/\p{Default_Ignorable_Code_Point}/u);
        expect(once).not.toMatch(/(?:\u200c|\u200d){2}|(?:\ufe0e|\ufe0f){2}|^(?:\u200c|\u200d|\ufe0e|\ufe0f)/u);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the mark of a text that was cut', () => {
  it.each([cleanText('x'.repeat(3_000)), cleanValue([[[[[[[[[[[[['deep']]]]]]]]]]]]])])(
    'is recognized when it comes back: %j',
    (cut) => {
      expect(holdsCutMark({ notes: ['other', cut] })).toBe(true);
    },
  );

  it('is not any text in brackets', () => {
    expect(holdsCutMark('… [cut, by the editor]')).toBe(false);
  });
});
