import { describe, expect, test } from 'vitest';
import { kits } from '../support/providers.ts';
import { fieldsOf, fileWith, inspect, plan, problems } from './plan.ts';

/** The headings of a file, and the first line of values. */
const FILES: readonly (readonly [string, string])[] = [
  [
    'Acct #,Co. Name,Ph.,E-mail addr.,Addr. 1,City,Zip/Postal',
    'A-7,Acme Bakery,+1 555 234 5678,info@acme.example,1 Main Street,Austin,78701',
  ],
  [
    'Klantnr;Bedr.naam;Tel. No.;E-mailadr.;Straat/nr;PC/Woonplaats',
    'A-7;Acme Bakery;+31 30 1234567;info@acme.example;Dorpsstraat 1;3511 AB Utrecht',
  ],
  [
    'Kd.-Nr.;Firma;Tel.-Nr.;E-Mail-Adr.;Str./Nr.;PLZ/Ort',
    'A-7;Acme Bakery;+49 30 901820;info@acme.example;Hauptstr. 1;10115 Berlin',
  ],
  [
    'Deb.nr.|Naam|Tel nr|E.mail|Adr. 1|Postc.|Woonpl.',
    'A-7|Acme Bakery|+31 30 1234567|info@acme.example|Dorpsstraat 1|3511 AB|Utrecht',
  ],
  ['Kdnr.;Name;Telnr.;E-Mail;Adr.;PLZ;Ort', 'A-7;Acme Bakery;+49 30 901820;info@acme.example;Hauptstr. 1;10115;Berlin'],
];

describe.each(kits)(
  'abbreviated headings for $title',
  ({ name: provider, externalIdField, minimal, nameField, findable }) => {
    test.each(FILES)('%s', async (headings, values) => {
      const read = await plan(fileWith(`${headings}\n${values}\n`), provider);
      expect(read.questions).toEqual([]);
      expect(read.mapping.leftOut).toEqual([]);
      const found = await inspect(read);
      expect(problems(found)).toEqual({});
      const document = found.first[0]?.request?.document ?? {};
      const [phone = ''] = Object.keys(findable('', ''));
      expect(document).toMatchObject({
        ...minimal('Acme Bakery', 'info@acme.example'),
        [nameField.field]: 'Acme Bakery',
        ...(externalIdField in document && { [externalIdField]: 'A-7' }),
        [phone]: expect.stringMatching(/^\+/),
      });
      expect(JSON.stringify(document)).toMatch(/78701|3511 AB|10115/);
    });

    test.each([
      'Inv. No.',
      'Factuurnummer',
      'Rechnungs-Nr.',
      'Order #',
      'Personal-Nr.',
      'Bank acct #',
      'Kostenst.-Nr.',
    ])('take %s for no ID', async (heading) => {
      const rows = `${heading},Company,E-mail\n17,Acme,a@acme.example\n18,Beta,b@beta.example\n`;
      expect(Object.values(fieldsOf(await plan(fileWith(rows), provider)))).not.toContain(heading);
    });

    test('take a Dutch 06 number for a phone number, and both names in a column for a person', async () => {
      const rows = 'Klantnr,"Naam, voornaam",06-nummer,E-mail\nA-7,"Jansen, Piet",06-12345678,piet@jansen.example\n';
      const read = await plan(fileWith(rows), provider);
      expect(fieldsOf(read)[externalIdField]).toBe('Klantnr');
      const document = JSON.stringify((await inspect(read)).first[0]?.request?.document);
      expect(document).toContain('Jansen, Piet');
      expect(document).toContain('06-12345678');
    });
  },
);
