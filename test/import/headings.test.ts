import { describe, expect, test } from 'vitest';
import { kits } from '../support/providers.ts';
import { fieldsOf, fileWith, inspect, plan, problems } from './plan.ts';

describe.each(kits)('headings of other programs, read for $title', ({ name: provider, externalIdField, nameField }) => {
  const read = (lines: readonly string[]) => plan(fileWith(`${lines.join('\n')}\n`), provider);

  test('"Debiteur" over numbers is the number of the customer', async () => {
    const found = await read([
      'Debiteur;Naam;E-mail',
      '100023;Tuincentrum Groen;info@groen.example',
      '100024;Loodgieter Vos;vos@loodgieter.example',
    ]);
    expect(fieldsOf(found)).toMatchObject({ [externalIdField]: 'Debiteur', [nameField.field]: 'Naam' });
  });

  test('"Debiteur" over names is the name of the customer', async () => {
    const found = await read(['Nr;Debiteur;E-mail', '17;Tuincentrum Groen;info@groen.example']);
    expect(fieldsOf(found)).toMatchObject({ [externalIdField]: 'Nr', [nameField.field]: 'Debiteur' });
  });

  test('"Nummer" after the street is the number of the house', async () => {
    const found = await read([
      'Naam;E-mail;Straat;Nummer;Postcode;Gemeente;Land',
      'Frituur Piet;piet@frituur.example;Dorp;3;9000;Gent;BE',
      'Bakker Jan;jan@bakker.example;Markt;5;9000;Gent;BE',
    ]);
    expect(fieldsOf(found)).not.toHaveProperty(externalIdField);
    expect(found.questions).toHaveLength(1);
  });

  test.each(['username', 'User Name', 'Login name', 'Gebruikersnaam', 'Benutzername'])(
    '%s is not the name of the customer',
    async (heading) => {
      const found = await read([
        `user_id,${heading},first_name,last_name,email`,
        '17,jdoe,John,Doe,john@doe.example',
        '18,agil,Ana,Gil,ana@gil.example',
      ]);
      const { first } = await inspect(found);
      expect(JSON.stringify(first[0]?.request?.document)).not.toContain('jdoe');
      expect(JSON.stringify(first[0]?.request?.document)).toContain('John Doe');
    },
  );

  test('a plain country holds for an invoice address, and ISO says nothing', async () => {
    for (const country of ['Land', 'Land (ISO)']) {
      const found = await read([
        `Klantnummer;Klantnaam;Bezoekadres;Plaats bezoekadres;Factuuradres;Postcode factuuradres;Plaats factuuradres;${country};E-mail`,
        '1;Slagerij Vlees;Weg 1;Weesp;Postbus 5;1230 AB;Weesp;BE;vlees@slagerij.example',
      ]);
      const { first } = await inspect(found);
      expect(JSON.stringify(first[0]?.request?.document)).toMatch(/Postbus 5.*BE/);
    }
  });

  test('a business partner is a customer', async () => {
    for (const [code, name] of [
      ['BP-Code', 'BP-Name'],
      ['Customer code', 'Third-party name'],
    ] as const) {
      const found = await read([`${code};${name};E-Mail`, 'C20000;Maxi Teq;max@teq.example']);
      expect(fieldsOf(found)).toMatchObject({ [externalIdField]: code, [nameField.field]: name });
    }
  });

  test('a registration number with dots is stored, without them where it would be too long', async () => {
    const found = await read([
      'Klantnummer;Naam;E-mail;Ondernemingsnummer;Land',
      '1;Frituur Piet;piet@frituur.example;0123.456.789;BE',
    ]);
    expect(problems(await inspect(found))).toEqual({});
  });
});
