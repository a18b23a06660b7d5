import { describe, expect, it } from 'vitest';
import type { Fields } from '../../support/provider-kit.ts';
import { kits } from '../../support/providers.ts';
import { openScene, openServer, rowsOf } from './scene.ts';

/** The score of a match that is certain, of one that is only similar, and of one that only shares a word. */
const RANGES = { exact: [0.8, 1], similar: [0.5, 0.79], weak: [0, 0.49] } as const;
type Likeness = keyof typeof RANGES;

describe.each(kits)('find among people and companies at $title', (kit) => {
  const scene = openScene(kit);
  const server = openServer(scene);

  async function store(names: readonly string[], more: (name: string) => Fields = () => ({})): Promise<void> {
    for (const [n, name] of names.entries()) {
      const customer = { ...kit.minimal(name, `post@one-${n}.example`), ...more(name), allow_duplicate: true };
      const { isError, text } = await scene.call('create_customer', customer, server());
      expect(isError, text).toBe(false);
    }
  }

  async function rows(find: string): Promise<{ name: string; score: number; matched: unknown }[]> {
    const { data, isError, text } = await scene.call('search_customer', { find }, server());
    expect(isError, text).toBe(false);
    return rowsOf(data).map(({ customer, score, matched }) => ({
      name: String(Object(customer)[kit.nameField.stored]),
      score: Number(score),
      matched,
    }));
  }

  /** Expects this customer first, with a score for this likeness. */
  async function expectFirst(find: string, name: string, likeness: Likeness): Promise<void> {
    const [first] = await rows(find);
    expect(first?.name, find).toBe(name);
    expect(first?.matched, find).not.toEqual([]);
    expectScore(find, first?.score ?? 0, likeness);
  }

  async function expectNone(find: string, likeness: Likeness): Promise<void> {
    for (const { score, name } of await rows(find))
      expect([find, name, score], find).toEqual([find, name, below(likeness)]);
  }

  function expectScore(find: string, score: number, likeness: Likeness): void {
    const [min, max] = RANGES[likeness];
    expect(score, find).toBeGreaterThanOrEqual(min);
    expect(score, find).toBeLessThanOrEqual(max);
  }

  const below = (likeness: Likeness): unknown => expect.toSatisfy((score: number) => score < RANGES[likeness][0]);

  it('takes initials and legal forms for what they are, before a name and after it', async () => {
    const all = [
      'A.B. Pietersen',
      'Pietersen, S.A.',
      'Volvo AB',
      'B.V. De Kroon',
      'Meridian Ltd',
      'Meridian GmbH',
      'Roma',
    ];
    await store(all);
    for (const find of ['pietersen a b', 'Pietersen A.B.', 'Pietersen, A.B.', 'AB Pietersen', 'a. b. pietersen'])
      await expectFirst(find, 'A.B. Pietersen', 'exact');
    for (const find of ['S.A. Pietersen', 'Pietersen S A', 's. a. pietersen'])
      await expectFirst(find, 'Pietersen, S.A.', 'exact');
    for (const find of ['AB Volvo', 'A.B. Volvo', 'volvo']) await expectFirst(find, 'Volvo AB', 'exact');
    for (const find of ['De Kroon BV', 'BV de Kroon', 'de kroon']) await expectFirst(find, 'B.V. De Kroon', 'exact');
    await expectFirst('meridian ltd.', 'Meridian Ltd', 'exact');
    await expectFirst('meridian g.m.b.h.', 'Meridian GmbH', 'exact');
    // Initials in another order, or none, are another person's.
    await expectNone('S.L. Pietersen', 'exact');
    await expectNone('B.A. Pietersen', 'exact');
    // It can be a club of another name.
    expect((await rows('AS Roma')).map(({ name, score }) => [name, score < 1])).toEqual([['Roma', true]]);
  });

  it('takes spellings of a name for the name', async () => {
    const spellings: Readonly<Record<string, readonly string[]>> = {
      "Van 't Hof Techniek": ['van het Hof Techniek', 'van ’t hof techniek', 'Van t Hof Techniek'],
      'Patrick O’Brien': ["patrick o'brien", 'Patrick OʼBrien', 'Patrick OBrien', 'Mr Patrick O`Brien'],
      'Hansen Byg A/S': ['Hansen Byg', 'hansen byg as'],
      'Cave Remich S.à r.l.': ['cave remich sarl', 'Cave Remich'],
      'De Graaf B.V. i.o.': ['de Graaf BV', 'De Graaf'],
      'Pieter Vermeulen': ['de heer Pieter Vermeulen', 'dhr. Pieter Vermeulen', 'Vermeulen, Pieter'],
      'Sabine Kraus': ['Frau Sabine Kraus', 'Mevrouw Sabine Kraus'],
      'García y Hijos SL': ['Garcia Hijos', 'garcia y hijos'],
      '🌸🌸': ['🌸🌸', '🌸'],
    };
    await store([...Object.keys(spellings), 'Vermeulen Transport', 'Hof van Holland', 'Kraus & Zonen']);
    for (const [name, typed] of Object.entries(spellings))
      for (const text of typed) await expectFirst(text, name, 'exact');
  });

  it('takes initials for similar, written together or apart, and each word once', async () => {
    await store(['Jan Peter Jansen', 'W.H. Kuipers', 'Jansen Bakkerij', 'Martin Meier', 'M. Koster', 'Meier & Koster']);
    for (const typed of ['J.P. Jansen', 'J. P. Jansen', 'Jansen, J.P.', 'J. Jansen'])
      await expectFirst(typed, 'Jan Peter Jansen', 'similar');
    await expectFirst('Willem Kuipers', 'W.H. Kuipers', 'similar');
    await expectFirst('Willem Hendrik Kuipers', 'W.H. Kuipers', 'similar');
    await expectFirst('M. Meier', 'Martin Meier', 'similar');
    await expectFirst('Jan Jansen', 'Jan Peter Jansen', 'exact');
    expect((await rows('Jan Jansen')).map(({ name }) => name)).not.toContain('Jansen Bakkerij');
  });

  it('takes one initial of several for similar, and letters that are swapped for a typo', async () => {
    await store(['P.A. Celik', 'Robert Walker', 'Sander Brouwer', 'Celik & Zonen']);
    await expectFirst('P. Celik', 'P.A. Celik', 'similar');
    for (const typed of ['Rboert Walker', 'Robert Wakler']) await expectFirst(typed, 'Robert Walker', 'similar');
    await expectFirst('Sander Brouer', 'Sander Brouwer', 'similar');
  });

  it('finds words that a name has twice, and a place beside a name', async () => {
    await store(['Thomas & Thomas', 'Filiaal Utrecht', 'Thomas Bouw'], () => kit.findable('+31 20 1112233', 'Utrecht'));
    await expectFirst('Thomas & Thomas', 'Thomas & Thomas', 'exact');
    await expectFirst('Thomas & Thomas Utrecht', 'Thomas & Thomas', 'exact');
    await expectFirst('Thomas Bouw in Utrecht', 'Thomas Bouw', 'exact');
    const found = await rows('Kerkstraat 12, 3511 AB Utrecht');
    expect(found.map(({ score }) => score >= 0.8)).toEqual([true, true, true]);
    await expectNone('Utrecht Thomas', 'exact');
  });

  it('does not take one letter for a word', async () => {
    await store(['Sanders Bouw', 'Sluis Techniek', 'Terpstra Verhuur'], () =>
      kit.findable('+31 73 123 45 67', "'s-Hertogenbosch"),
    );
    await expectNone('S-9999', 'weak');
    await expectNone('S. Terpstra', 'exact');
    for (const typed of ["'s-Hertogenbosch", 's-Hertogenbosch', '’s Hertogenbosch'])
      expect(
        (await rows(typed)).map(({ score }) => score >= 0.8),
        typed,
      ).toEqual([true, true, true]);
  });

  it('takes another number for another name', async () => {
    await store(['Bureau 1010', 'Filiaal 12', 'Filiaal 13', 'Studio 3000']);
    await expectNone('Bureau 1100', 'similar');
    await expectFirst('Filiaal 12', 'Filiaal 12', 'exact');
    expect(await rows('Filiaal 12')).toHaveLength(1);
    await expectNone('Filiaal 14', 'similar');
    await expectNone('Filiaal 1', 'similar');
  });

  it('reads numbers and letters together and apart', async () => {
    await store(['Bakkerij Noord'], () => kit.findable('+31 20 1112233', 'Utrecht'));
    await store(['Studio 3M', 'C1000 Zuid']);
    for (const typed of ['3511AB', '3511 AB', '3511ab Utrecht', 'Kerkstraat 12, Utrecht'])
      await expectFirst(typed, 'Bakkerij Noord', 'exact');
    await expectFirst('studio 3 m', 'Studio 3M', 'exact');
    await expectFirst('C 1000 Zuid', 'C1000 Zuid', 'exact');
  });

  it('understands words around a name and around a code', async () => {
    await store(['drs. Pieter Vermeulen', 'Gebr. Kwartel', 'Sint Pietersgilde', 'Bakker', 'Filiaal 9', 'Filiaal 8']);
    const coded = { ...kit.minimal('Coded', 'post@coded.example'), [kit.externalIdField]: 'CRM-3490' };
    await scene.call('create_customer', coded, server());
    for (const typed of [
      'CRM3490',
      'crm 3490',
      'nr. CRM-3490',
      'klantnummer CRM-3490',
      'customer CRM-3490',
      'Kunde CRM-3490',
      'customer number CRM-3490',
      '#CRM-3490',
      'klant met nummer CRM-3490',
      'n° client CRM-3490',
    ])
      await expectFirst(typed, 'Coded', 'exact');
    for (const typed of ['Prof. Pieter Vermeulen', 'Herr Dr. Pieter Vermeulen'])
      await expectFirst(typed, 'drs. Pieter Vermeulen', 'exact');
    await expectFirst('fam. Bakker', 'Bakker', 'exact');
    await expectFirst('Firma Bakker', 'Bakker', 'exact');
    await expectFirst('Filiaal nr. 9', 'Filiaal 9', 'exact');
    await expectFirst('www.coded.example', 'Coded', 'exact');
    await expectFirst('Gebroeders Kwartel', 'Gebr. Kwartel', 'similar');
    await expectFirst('St. Pietersgilde', 'Sint Pietersgilde', 'similar');
    await expectFirst('Filiaal 09', 'Filiaal 9', 'similar');
  });

  it('takes a word that belongs to a code for a part of the code', async () => {
    for (const code of ['ID-123', 'NR 45', 'No.6789', 'klant7'])
      await scene.call(
        'create_customer',
        { ...kit.minimal(`Of ${code}`, `post@${code.replace(/\W/g, '')}.example`), [kit.externalIdField]: code },
        server(),
      );
    for (const code of ['ID-123', 'NR 45', 'No.6789', 'klant7'])
      expect(await rows(code), code).toMatchObject([{ name: `Of ${code}`, score: 1 }]);
  });

  it('takes a number or a street of the address for no part of a name', async () => {
    await store(['Filiaal 13', 'Sanne Visser'], () => ({ ...kit.findable('+31 20 1112233', 'Utrecht') }));
    await expectNone('Filiaal 12', 'exact');
    await expectNone('Sanne Kerkstraat', 'exact');
    await expectNone('NL-12', 'exact');
    await expectFirst('mevrouw Visser in Utrecht', 'Sanne Visser', 'exact');
    await expectFirst('Sanne Utrecht', 'Sanne Visser', 'exact');
  });

  it('joins and splits compounds, and prefers the exact surname to a similar one', async () => {
    await store(['Loodgietersbedrijf de Graaf', 'Edelweiss Interieur Holding', 'John Smith', 'J. Smit', 'J. Martinez']);
    await expectFirst('Loodgieters bedrijf de Graaf', 'Loodgietersbedrijf de Graaf', 'exact');
    await expectFirst('edelweissinterieur', 'Edelweiss Interieur Holding', 'exact');
    await expectFirst('J. Smith', 'John Smith', 'similar');
    await expectFirst('J. Martin', 'J. Martinez', 'similar');
  });

  it('shows the name that was typed before others that are the same after folding', async () => {
    const names = ['Müller GmbH', 'MULLER', 'Mueller AG', 'Müller'];
    await store(names);
    for (const name of names) await expectFirst(name, name, 'exact');
    await expectFirst('mueller ag', 'Mueller AG', 'exact');
  });

  it('lets the typed name decide between customers with one email', async () => {
    const names = ['Anker Noord', 'Anker Zuid', 'Anker West'];
    for (const name of names)
      await scene.call(
        'create_customer',
        { ...kit.minimal(name, 'post@anker.example'), allow_duplicate: true },
        server(),
      );
    for (const name of names) {
      const [first] = await rows(`${name} <post@anker.example>`);
      expect(first).toMatchObject({ name, score: 1 });
    }
    expect(await rows('Anker Zuid <post@elsewhere.example>')).toMatchObject([{ name: 'Anker Zuid', score: 0.85 }]);
  });

  it('shows a code with lost zeros beside addresses that contain its number', async () => {
    for (let n = 1; n <= 6; n += 1)
      await scene.call(
        'create_customer',
        {
          ...kit.minimal(`Anker ${'ABCDEFG'.charAt(n)}`, `post-${n}@a.example`),
          ...kit.findable('020 7654321', `Dorp 124`),
        },
        server(),
      );
    const coded = { ...kit.minimal('Coded', 'post@coded.example'), [kit.externalIdField]: '000124' };
    await scene.call('create_customer', coded, server());
    await expectFirst('124', 'Coded', 'similar');
    await expectFirst('000124', 'Coded', 'exact');
  });

  it.runIf(kit.contact !== undefined)('does not make one name of two', async () => {
    const people: Readonly<Record<string, string>> = {
      'Smits & Willems': 'Wouter van Wijk',
      'Bakkerij Groen': 'Anna Smits',
      'De Boer Advies': 'Wouter Smidt',
    };
    await store(Object.keys(people), (name) => ({ [kit.contact ?? '']: people[name] }));
    await expectNone('Wouter Willems', 'exact');
    await expectNone('Anna Groen', 'exact');
    await expectFirst('Wouter van Wijk', 'Smits & Willems', 'exact');
    await expectFirst('Wouter van Wijk, Smits & Willems', 'Smits & Willems', 'exact');
    await expectFirst('Anna Smits', 'Bakkerij Groen', 'exact');
    await expectFirst('Smits Willems', 'Smits & Willems', 'exact');
    await expectFirst('Anna Smits (Bakkerij Groen)', 'Bakkerij Groen', 'exact');
    await store(['Groen & Smits'], () => ({ [kit.contact ?? '']: 'Piet Groen' }));
    await expectFirst('Piet Groen, Groen & Smits', 'Groen & Smits', 'exact');
  });
});
