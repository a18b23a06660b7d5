import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  foldCode,
  foldEmail,
  foldName,
  nameKeys,
  nameWords,
  sameName,
  typosAllowed,
  typosBetween,
  withoutLeadingZeros,
} from '../../src/identity/folding.ts';

describe('names', () => {
  it.each([
    ['Bakkerij Jansen B.V.', 'bakkerij  jansen bv'],
    ['Jansen Bakkerij', 'Bakkerij Jansen'],
    ['Müller GmbH & Co. KG', 'Mueller'],
    ['MULLER', 'müller'],
    ['Weiß & Söhne OHG', 'Weiss und Soehne'],
    ['Café Zoë', 'Cafe Zoe'],
    ['Acme, Inc.', 'ACME'],
    ["O'Brien Ltd", 'O’Brien Limited'],
    ['OʼBrien', "O'Brien"],
    ['O´Brien', "O'Brien"],
    ["Van 't Hof", 'van het Hof'],
    ['van ’t Hof', "van 't hof"],
    ["'s-Hertogenbosch", 's-Hertogenbosch'],
    ['Cave de Remich S.à r.l.', 'Cave de Remich sàrl'],
    ['Cave de Remich S. à r. l.', 'Cave de Remich'],
    ['Hansen Byg A/S', 'Hansen Byg'],
    ['Andersen & Co I/S', 'Andersen'],
    ['Jansen B.V. i.o.', 'Jansen'],
    ['García y Hijos', 'Garcia Hijos SL'],
    ['Silva e Filhos Lda.', 'Silva Filhos'],
    ['Jansen B V', 'Jansen'],
    ['Nokia AB', 'Nokia'],
    ['Fiat SpA', 'Fiat'],
    ['Total SA', 'total sa'],
    ['Tischlerei Wagner Ges.m.b.H.', 'Tischlerei Wagner GesmbH'],
    ['Usługi Sp z oo', 'Usługi sp. z o. o.'],
    ['Stavby spol. s r.o.', 'Stavby'],
    ['Stavby v.o.s.', 'Stavby'],
    ['Kaya San. ve Tic. A.Ş.', 'Kaya'],
    ['Zorgboerderij Coöperatie U.A.', 'Zorgboerderij Cooperatie'],
    ['Jansen Besloten Vennootschap', 'Jansen'],
    ['Müller u. Söhne', 'Müller & Söhne'],
    ['Van den Berg', 'Vandenberg'],
    ['Smørrebrød ApS', 'Smorrebrod'],
    ['Pierogi Sp. z o.o.', 'Pierogi'],
    ['Ristorante Roma S.r.l.', 'Ristorante Roma'],
    ['ＡＣＭＥ', 'acme'],
    ['Dvořák s.r.o.', 'Dvorak'],
  ])('%s is %s', (a, b) => expect(sameName(a, b)).toBe(true));

  it.each([
    ['Bakkerij Jansen', 'Bakkerij Janssen'],
    ['Bakkerij Jansen', 'Bakkerij Jansen Utrecht'],
    ['AS Roma', 'Roma'],
    ['Acme 1', 'Acme 2'],
    ['X Y', 'X'],
    ['Jan van As', 'Jan van Dijk'],
    ['Jan Is', 'Jan'],
    ['Tessa Vos', 'Tessa Bos'],
    ['Anna Ek', 'Anna'],
    ['Luís Sá', 'Luís'],
    ['Water Spa', 'Water'],
    ['タイヤ館', 'ダイヤ館'],
    ['रमा', 'राम'],
    ['P. Y. Jansen', 'P. Jansen'],
    ['S-Bahn', 'Bahn'],
    ['Das A/S Projekt A', 'Das Projekt'],
    ['!!!', '???'],
    ['', ''],
  ])('%s is not %s', (a, b) => expect(sameName(a, b)).toBe(false));

  it.each(['Dr. A.B. Pietersen', 'Prof. Dr. A.B. Pietersen', 'A.B. Pietersen'])(
    'does not take initials for a legal form: %s',
    (name) => {
      expect(nameWords(name)).toContain('ab');
      expect(nameWords(`${name} AB`).filter((word) => word === 'ab')).toHaveLength(1);
    },
  );

  it('keeps the words of a name that consists only of a legal form', () => {
    expect(nameWords('Limited')).toEqual(['limited']);
    expect(foldName('B.V.')).toBe('bv');
  });

  it('compares names in scripts without case', () => {
    expect(sameName('株式会社アクメ', '株式会社 アクメ')).toBe(true);
    expect(sameName('アクメ', 'アクマ')).toBe(false);
  });

  it('is idempotent for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        expect(foldName(foldName(name))).toBe(foldName(foldName(foldName(name))));
        expect(sameName(name, name)).toBe(name.trim() !== '');
      }),
    );
  });

  it('have a key in common exactly if they are the same', () => {
    const share = (a: string, b: string): boolean => nameKeys(a).some((key) => nameKeys(b).includes(key));
    for (const [a, b, same] of [
      ['Van den Berg', 'Vandenberg B.V.', true],
      ['Jansen Bakkerij', 'bakkerij jansen', true],
      ['🌸🌸', ' 🌸🌸 ', true],
      ['Branch 12', 'Branch 21', false],
      ['Daan Roos', 'Noor Saad', false],
      ['🌸', '🌷', false],
    ] as const) {
      expect(sameName(a, b)).toBe(same);
      expect(share(a, b)).toBe(same);
    }
    const word = fc.constantFrom(
      'van',
      'Den',
      'berg',
      'Müller',
      'mueller',
      'a',
      '&',
      'B.V.',
      'vanden',
      '🌸',
      '1',
      '12',
    );
    const name = fc.array(word, { maxLength: 4 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(name, name, (a, b) => sameName(a, b) === share(a, b)),
      { numRuns: 5_000 },
    );
  });

  it('ignores the order of words and their case', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[b-df-hj-np-tv-z]{5,8}$/), { minLength: 2, maxLength: 5 }), (words) => {
        expect(foldName(words.toReversed().join(' ').toUpperCase())).toBe(foldName(words.join(', ')));
      }),
    );
  });
});

describe('email addresses', () => {
  it.each([
    ['Info@Acme.example', 'info@acme.EXAMPLE'],
    ['a@bücher.example', 'a@xn--bcher-kva.example'],
    ['A@BÜCHER.example', 'a@xn--bcher-kva.example'],
    ['mailto:a@b.example', 'a@b.example'],
    [' a@b.example ', 'a@b.example'],
  ])('%s is %s', (a, b) => expect(foldEmail(a)).toBe(foldEmail(b)));

  it.each([
    ['a@b.example', 'b@b.example'],
    ['a@b.example', 'a@c.example'],
    ['a+x@b.example', 'a@b.example'],
  ])('%s is not %s', (a, b) => expect(foldEmail(a)).not.toBe(foldEmail(b)));
});

describe('codes', () => {
  it.each([
    ['C-1001', 'c 1001'],
    ['NL 8123.45.678 B01', 'nl812345678b01'],
    ['３５１１ＡＢ', '3511 ab'],
  ])('%s is %s', (a, b) => expect(foldCode(a)).toBe(foldCode(b)));

  it.each([
    ['00123', '123'],
    ['c007', 'c7'],
    ['100', '100'],
    ['0', '0'],
    ['a0b010', 'a0b10'],
  ])('%s is %s where zeros were lost', (code, bare) => expect(withoutLeadingZeros(code)).toBe(bare));
});

describe('typos', () => {
  it.each([
    ['jansen', 'jansen', 0],
    ['jansen', 'janssen', 1],
    ['jansen', 'jasnen', 1],
    ['jansen', 'jensen', 1],
    ['bakkerij', 'bakerij', 1],
    ['bakkerij', 'slagerij', 4],
    ['', 'ab', 2],
  ])('between %s and %s: %i', (a, b, typos) => {
    expect(typosBetween(a, b, 5)).toBe(typos);
    expect(typosBetween(b, a, 5)).toBe(typos);
  });

  it('are not counted beyond the most that count', () => {
    expect(typosBetween('bakkerij', 'slagerij', 1)).toBe(2);
    expect(typosBetween('a', 'abcdef', 2)).toBe(3);
  });

  it('are fewer in short words', () => {
    expect([3, 4, 7, 8].map(typosAllowed)).toEqual([0, 1, 1, 2]);
  });
});
