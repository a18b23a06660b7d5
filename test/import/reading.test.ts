import { describe, expect, test } from 'vitest';
import { writeOds, writeXlsx } from 'hucre';
import { kits } from '../support/providers.ts';
import { fieldsOf, fileWith, inspect, plan, problems, proposed } from './plan.ts';

const TEXT = 'Relatiecode;Naam;Plaats;Opmerking\r\n00123;Café Zoë;Bergen;één\r\n00124;Müller & Söhne;Köln;größer\r\n';

/** The bytes of a text in an encoding that Node does not write. */
function bytesIn(encoding: string, text: string): Uint8Array {
  const decoder = new TextDecoder(encoding);
  const codes = new Map(Array.from({ length: 256 }, (_, code) => [decoder.decode(Uint8Array.of(code)), code]));
  return Uint8Array.from([...text], (letter) => codes.get(letter) ?? expect.unreachable(letter));
}

const swapped = Buffer.from(`\ufeff${TEXT}`, 'utf16le').swap16();

describe('a file in any encoding', () => {
  test.each([
    ['UTF-8', Buffer.from(TEXT), 'UTF-8'],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${TEXT}`), 'UTF-8'],
    ['UTF-16 with a mark', Buffer.from(`\ufeff${TEXT}`, 'utf16le'), 'UTF-16'],
    ['UTF-16 of the other order', swapped, 'UTF-16'],
    ['UTF-16 without a mark', Buffer.from(TEXT, 'utf16le'), 'UTF-16 without a mark'],
    ['Windows-1252', bytesIn('windows-1252', TEXT), 'Windows-1252'],
    ['Mac Roman, with its line ends', bytesIn('macintosh', TEXT.replaceAll('\r\n', '\r')), 'Mac Roman'],
  ])('%s', async (_, bytes, encoding) => {
    const { first, total } = await inspect(await plan(fileWith(bytes), 'layer'));
    const { table } = await plan(fileWith(bytes), 'layer');
    expect(table.grid.facts).toContain(encoding);
    expect(total).toBe(2);
    expect(first.map(({ request }) => request?.document)).toMatchObject([
      { external_id: '00123', company_name: 'Café Zoë', notes: 'één' },
      { external_id: '00124', company_name: 'Müller & Söhne', notes: 'größer' },
    ]);
  });

  test('a single broken byte spoils its own row only', async () => {
    const bytes = Buffer.from(TEXT.replace('größer', 'gr#ßer'));
    bytes[bytes.indexOf('#')] = 0xff;
    const found = await inspect(await plan(fileWith(bytes), 'layer'));
    expect(found.sendable).toBe(1);
    expect(Object.keys(problems(found))).toEqual([
      expect.stringContaining('Opmerking contains a character that was lost'),
    ]);
  });

  test('NUL bytes are refused', async () => {
    await expect(plan(fileWith(`${TEXT}a\0b;c`), 'layer')).rejects.toThrow('NUL');
  });
});

describe('a cell with a phone number', () => {
  const rows = (phone: string): string => `Klantnr,Bedrijf,Telefoon,E-mail\n1,Acme,"${phone}",a@acme.example\n`;

  test.each(kits)('is refused with two numbers, as it is not one at $title', async ({ name }) => {
    for (const cell of ['030 1234567 / 06 12345678', 'Phone: (415) 444-6538  Mobile: (415) 555-0199'])
      expect(problems(await inspect(await plan(fileWith(rows(cell)), name)))).toEqual({
        'Telefoon contains several phone numbers; keep one': [2],
      });
  });

  test.each(kits)('is read with a word before it, and in any notation, at $title', async ({ name, findable }) => {
    const [field = ''] = Object.keys(findable('', ''));
    for (const [cell, number] of [
      ['Tel. 030 1234567', '030 1234567'],
      ['Phone: +49 (0)30 / 9018200', '+49 (0)30 / 9018200'],
      ['+31 (0)30-123 45 67', '+31 (0)30-123 45 67'],
    ]) {
      const { first } = await inspect(await plan(fileWith(rows(cell ?? '')), name));
      expect(first[0]?.request?.document[field], cell).toBe(number);
    }
  });
});

describe('a table of any form', () => {
  const rows = [
    ['external_id', 'company_name', 'email'],
    ['1', 'Acme, Inc.', 'a@acme.example'],
    ['2', 'Beta', 'b@beta.example'],
  ];
  const lines = (delimiter: string): string =>
    rows.map((row) => row.map((cell) => (cell.includes(delimiter) ? `"${cell}"` : cell)).join(delimiter)).join('\n');

  test.each([',', ';', '\t', '|'])('separated by %j', async (delimiter) => {
    const { first } = await inspect(await plan(fileWith(lines(delimiter)), 'layer'));
    expect(first[0]?.request?.document).toEqual({
      external_id: '1',
      company_name: 'Acme, Inc.',
      email: 'a@acme.example',
    });
  });

  test("Excel's sep= is honored and counted as Excel counts it", async () => {
    const { first } = await inspect(await plan(fileWith(`sep=;\n${lines(';')}`), 'layer'));
    expect(first.map(({ number }) => number)).toEqual([2, 3]);
  });

  test('rows are numbered as the spreadsheet shows them', async () => {
    const text = 'Customers of Acme\n\nexternal_id,company_name\n1,"Two\nlines"\n\n\n,Beta\n';
    const found = await inspect(await plan(fileWith(text), 'layer'));
    expect(found.first[0]?.number).toBe(4);
    expect(problems(found)).toEqual({ 'has no ID': [7] });
  });

  test.each([
    [
      'a quote that never closes',
      'external_id,company_name,email\n1,"Acme,a@b.example\n2,Beta,b@b.example\n',
      'row 2 (line 2',
    ],
    [
      'a quote that closes too late',
      'external_id,company_name,email\n1,A,a@b.example\n2,"B,b@b.example\n3,C,c@b.example\n4,"D,d@b.example\n',
      'row 3 (line 3',
    ],
    [
      'a quote that swallows rows',
      'external_id,company_name,email\n1,"A,a@b.example\n2,B,b@b.example\n3,C",c@b.example\n',
      'row 2 (line 2',
    ],
    ['text behind a quote', 'external_id,company_name\n1,"Jan "de bakker" Jansen"\n', 'row 2'],
  ])('refuses %s', async (_, text, words) => {
    await expect(plan(fileWith(text), 'layer')).rejects.toThrow(words);
  });

  test('a row that a line break has cut in two is refused in both pieces', async () => {
    const text =
      'external_id,company_name,address_string,email\n1,A,Kade 1,a@b.example\n2,B,Dam 2\nAmsterdam,b@b.example\n3,C,Kade 3,c@b.example\n';
    const found = await inspect(await plan(fileWith(text), 'layer'));
    expect(found.sendable).toBe(2);
    expect(problems(found)).toEqual({ [Object.keys(problems(found))[0] ?? '']: [3, 4] });
    expect(Object.keys(problems(found))[0]).toContain('split by a line break');
  });

  test('values that are named are told apart, and other values of one kind are shown as one', async () => {
    const text =
      'customer code,name,country,email\n1,A,Nederland,a@b.example\n2,B,Belgium,b@b.example; c@b.example\n3,C,Nederland,d@b.example / e@b.example\n';
    const found = await inspect(await plan(fileWith(text), 'notify'));
    expect(problems(found)).toEqual({ 'email contains 2 email addresses; keep one': [3, 4] });
    expect(found.notices.map(({ example: { what }, rows }) => [what, rows])).toEqual([
      ['"Nederland" became NL', [2, 4]],
      ['"Belgium" became BE', [3]],
    ]);
  });

  test('totals and notes below the table are no customers, and what has only an id is refused', async () => {
    const text =
      'external_id,company_name,email\n1,A,a@b.example\n2,,\n\nTotal: 2 customers,,\n"Report made by Jane Doe, sales",,\n';
    const found = await inspect(await plan(fileWith(text), 'layer'));
    expect(found.footers).toEqual([5, 6]);
    expect(problems(found)).toEqual({ 'contains only an ID': [3] });
  });

  test('a customer whose name begins like a total is not skipped', async () => {
    const text =
      'Name,City,Customer number\nTotal,,77\nPage Ltd,Leeds,78\nReport Co,info@report.example,79\nTotal,3,1200.50\n';
    const found = await inspect(await plan(fileWith(text), 'layer'));
    expect(found.first.map(({ number }) => number)).toEqual([3, 4]);
    expect(found.footers).toEqual([2, 5]);
  });

  test('without headings, a column of numbers is not taken for postal codes', async () => {
    const file = fileWith('1001,Acme,a@acme.example\n1002,Beta,b@beta.example\n');
    const asked = await plan(file, 'layer', { headerRow: 0, idFrom: 'Column A' });
    expect(fieldsOf(asked)).toEqual({ external_id: 'Column A', company_name: 'Column B', email: 'Column C' });
  });

  test('an ID from an email address has no text around it', async () => {
    const file = fileWith(
      'Name,Email\nAcme,Jo Doe <Jo@acme.example>\nBeta,mailto:b@beta.example;\nC,c@c.example;d@d.example\n',
    );
    const found = await inspect(await plan(file, 'layer', { idFrom: 'email' }));
    expect(found.first.map(({ externalId }) => externalId)).toEqual(['jo@acme.example', 'b@beta.example']);
    expect(problems(found)).toEqual({ 'Email contains 2 email addresses; keep one': [4] });
  });

  test('without headings it asks, and takes columns by their letters', async () => {
    const file = fileWith('7,Acme,a@acme.example\n8,Beta,b@beta.example\n');
    const first = await plan(file, 'layer');
    expect(first.questions.map(({ text }) => text).join()).toContain('No row of headings');
    const next = await plan(file, 'layer', proposed(first));
    expect(next.questions).toEqual([]);
    expect(fieldsOf(next)).toMatchObject({ company_name: 'Column B', email: 'Column C' });
    expect((await inspect(next)).total).toBe(2);
  });

  test('two columns with the same heading are distinguished, and the user is asked', async () => {
    const { questions } = await plan(
      fileWith('external_id,company_name,Email,Email\n1,Acme,a@b.example,c@d.example\n'),
      'layer',
    );
    expect(questions).toMatchObject([{ args: ['--map', 'Email=email', '--map', 'Email (2)='] }]);
  });
});

describe('a heading that ends like the number of a repeated one', () => {
  test('is read as it is written', async () => {
    const file = fileWith(
      'external_id,company_name,Address,Address (2),Email,Email (2)\n1,Acme,Dam 1,2nd floor,a@b.example,c@d.example\n',
    );
    const result = await plan(file, 'layer');
    expect(result.questions).toEqual([]);
    expect(fieldsOf(result)).toMatchObject({ address_string: 'Address + Address (2)', email: 'Email' });
  });

  test('is not given to another column too', async () => {
    const { table } = await plan(fileWith('Fax,Fax,Fax (2),external_id,company_name\n1,2,3,4,Acme\n'), 'layer');
    expect(table.headings).toEqual(['Fax', 'Fax (3)', 'Fax (2)', 'external_id', 'company_name']);
  });
});

describe('a spreadsheet', () => {
  const cells = new Map([
    ['1,0', { value: 123, type: 'number' as const, style: { numFmt: '00000' } }],
    ['1,3', { value: new Date(Date.UTC(2024, 2, 12)), type: 'date' as const, style: { numFmt: 'yyyy-mm-dd' } }],
  ]);
  const rows = [
    ['Customer number', 'Company name', 'Mobile', 'Notes'],
    [123, 'Acme', 31612345678, new Date(Date.UTC(2024, 2, 12))],
    ['00124', 'Beta', null, null],
  ];

  test.each([
    ['xlsx', writeXlsx],
    ['ods', writeOds],
  ])('%s: cells as people see them, ids with their zeros', async (kind, write) => {
    const file = fileWith(await write({ sheets: [{ name: 'Customers', rows, cells }] }), `customers.${kind}`);
    const { first } = await inspect(await plan(file, 'layer'));
    expect(first.map(({ request }) => request?.document)).toMatchObject([
      { company_name: 'Acme', mobile_phone: '31612345678', notes: '2024-03-12' },
      { external_id: '00124', company_name: 'Beta' },
    ]);
    if (kind === 'xlsx') expect(first[0]?.externalId).toBe('00123');
  });

  test('asks which of two sheets with customers', async () => {
    const sheets = [
      { name: 'North', rows },
      { name: 'South', rows },
    ];
    const file = fileWith(await writeXlsx({ sheets }), 'customers.xlsx');
    expect((await plan(file, 'layer')).questions).toMatchObject([{ args: ['--sheet', 'North'] }]);
    expect((await plan(file, 'layer', { sheet: 'South' })).table.grid.facts).toEqual(['sheet "South"']);
    await expect(plan(file, 'layer', { sheet: 'West' })).rejects.toThrow('"North", "South"');
  });
});

describe('a file of another kind is refused with one sentence that explains what to export', () => {
  test.each([
    ['contacts.vcf', 'BEGIN:VCARD\nFN:Jane\nEND:VCARD\n', 'CSV'],
    ['customers.iif', '!CUST\tNAME\nCUST\tAcme\n', 'Export Customer List'],
    ['customers.xls', '<html><table><tr><td>Name</td></tr></table></html>', '.xlsx'],
    ['customers.xls', Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1), '.xlsx'],
    ['customers.pdf', '%PDF-1.7', 'PDF'],
    ['customers.zip', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), 'Unpack'],
    ['customers.json', '[{"name": "Acme"}]', 'JSON'],
    ['customers.csv', '', 'no rows'],
    ['customers.csv', 'external_id,company_name\n', 'no rows'],
  ])('%s', async (name, content, words) => {
    await expect(plan(fileWith(content, name), 'layer')).rejects.toThrow(words);
  });
});
