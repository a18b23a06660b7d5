import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanObject, cleanValue } from '../src/text.ts';

/** Texts among which there are plain ones, long ones, and such as have to be cleaned. */
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
  it('is the same as if each part of it had been cleaned, and so is its JSON', () => {
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
