import { UsageError } from '../../errors.ts';
import { announceSandbox, startRuntime, withRuntime } from '../lifecycle.ts';
import { defineCommand } from '../options.ts';
import { print, stopSignal, wantsColors } from '../terminal.ts';

export const importCustomers = defineCommand({
  name: 'import',
  usage: 'import FILE',
  summary: 'Create the customers of a spreadsheet (CSV, TSV, XLSX, ODS), each once',
  operands: 1,
  options: {
    'dry-run': { type: 'boolean', summary: 'Show what the import would do and send nothing' },
    map: {
      type: 'string',
      multiple: true,
      value: 'COLUMN=FIELD',
      summary: 'Name the field of a column; "A+B=FIELD" joins two, "COLUMN=" leaves one out',
    },
    set: { type: 'string', multiple: true, value: 'FIELD=VALUE', summary: 'Use a constant where a row has no value' },
    'id-from': { type: 'string', value: 'COLUMN', summary: 'Use this column for the external ID, such as email' },
    sheet: { type: 'string', value: 'NAME', summary: 'Import this sheet of the workbook' },
    'header-row': { type: 'string', value: 'NUMBER', summary: 'The row with the headings; 0 if there is none' },
    'allow-duplicates': { type: 'boolean', summary: 'Also create customers that resemble existing ones' },
  },

  run: ({ operands: [file], options }, terminal) =>
    withRuntime(startRuntime(terminal), async ({ contexts: [context] }) => {
      if (file === undefined)
        throw new UsageError('import needs the name of a file: customers-mcp import customers.xlsx');
      if (!context.tools.some(({ name }) => name === 'import_customers'))
        throw new UsageError('the settings do not permit an import (CUSTOMERS_READ_ONLY, CUSTOMERS_TOOLS)');
      const headerRow = options['header-row'];
      if (headerRow !== undefined && !/^\d{1,6}$/.test(headerRow))
        throw new UsageError('--header-row must be the number of a row, or 0 if there is none');
      const { runImport } = await import('../../import/run.ts');
      announceSandbox(context, terminal);
      const choices = {
        dryRun: options['dry-run'] === true,
        map: options.map ?? [],
        set: options.set ?? [],
        idFrom: options['id-from'],
        sheet: options.sheet,
        headerRow: headerRow === undefined ? undefined : Number(headerRow),
        allowDuplicates: options['allow-duplicates'] === true,
      };
      const { stdout, stderr } = terminal;
      const output = {
        stdout,
        stderr,
        colors: wantsColors(terminal),
        signal: stopSignal(terminal),
      };
      const code = await runImport(file, choices, { context, output });
      return print(stdout, '', code);
    }),
});
