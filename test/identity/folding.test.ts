import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  foldCode,
  foldEmail,
  nameKeys,
  nameWords,
  typosAllowed,
  typosBetween,
  withoutLeadingZeros,
} from '../../src/identity/folding.ts';

function sameName(a: string, b: string): boolean {
  const keys = nameKeys(a);
  return nameKeys(b).some((key) => keys.includes(key));
}

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
    ['Żabka Spółka z o.o.', 'Żabka Sp. z o.o.'],
    ['Żabka spółka z ograniczoną odpowiedzialnością', 'Żabka'],
    ['Panadería Núñez Sociedad Limitada', 'Panadería Núñez S.L.'],
    ['Boulangerie Petit Société à responsabilité limitée', 'Boulangerie Petit'],
    ['Weber Gesellschaft mit beschränkter Haftung', 'Weber GmbH'],
    ['Weber Gesellschaft mit beschraenkter Haftung', 'Weber'],
    ['Weber Aktiengesellschaft', 'Weber AG'],
    ['De Kroon Naamloze Vennootschap', 'De Kroon N.V.'],
    ["'t Hoekje", 't Hoekje'],
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
    ['Łódzka Spółka', 'Łódzka'],
    ['T. Jansen', "'t Jansen"],
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
    expect(nameKeys('B.V.')).toEqual(['bv']);
  });

  it('compares names in scripts without case', () => {
    expect(sameName('株式会社アクメ', '株式会社 アクメ')).toBe(true);
    expect(sameName('アクメ', 'アクマ')).toBe(false);
  });

  it('are the same as themselves, however they are folded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        expect(sameName(name, name)).toBe(name.trim() !== '');
        for (const key of nameKeys(name)) expect(nameKeys(key).length).toBeGreaterThan(0);
      }),
    );
  });

  it('are the same in any order, and written as one, and otherwise not', () => {
    for (const [a, b, same] of [
      ['Jansen Bakkerij', 'bakkerij jansen', true],
      ['🌸🌸', ' 🌸🌸 ', true],
      ['Branch 12', 'Branch 21', false],
      ['Daan Roos', 'Noor Saad', false],
      ['🌸', '🌷', false],
    ] as const)
      expect(sameName(a, b), `${a}, ${b}`).toBe(same);
    const words = fc.array(fc.constantFrom('van', 'Den', 'berg', 'Müller', 'a', 'vanden', '1', '12', '2'), {
      minLength: 1,
    });
    fc.assert(
      fc.property(words, words, (a, b) => {
        const fold = (word: string): string => word.toLowerCase().replace('ü', 'u');
        const inOrder = (of: readonly string[]): string => of.map(fold).toSorted().join(' ');
        const asOne = (of: readonly string[]): string => of.map(fold).join('');
        expect(sameName(a.join(' '), b.join('-'))).toBe(inOrder(a) === inOrder(b) || asOne(a) === asOne(b));
      }),
      { numRuns: 2_000 },
    );
  });

  it('ignores the order of words and their case', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[b-df-hj-np-tv-z]{5,8}$/), { minLength: 2, maxLength: 5 }), (words) => {
        expect(sameName(words.toReversed().join(' ').toUpperCase(), words.join(', '))).toBe(true);
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
