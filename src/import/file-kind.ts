import { UsageError } from '../errors.ts';

export type FileKind = 'text' | 'xlsx' | 'ods';

const SAMPLE_BYTES = 4_096;

/** The beginnings of files that are not tables, each with a sentence that names what to export instead. */
const OTHER_KINDS: readonly (readonly [RegExp, string])[] = [
  [/^%PDF/, 'is a PDF. Export the customers as CSV or Excel instead'],
  [
    /^\s*BEGIN:VCARD/i,
    'contains contact cards (vCard). In the contacts program choose CSV as the export format instead',
  ],
  [
    /^\s*!(HDR|CUST|ACCNT|TRNS|VEND)\b/,
    'is a QuickBooks IIF file. In QuickBooks open the Customer Center, choose Excel, then Export Customer List',
  ],
  [
    /^\s*(<!doctype html|<html|<head|<meta|<table|<body|<style)/i,
    'is a web page with an Excel name. Open it in Excel and save it as "Excel Workbook (.xlsx)"',
  ],
  [/^\s*<\?xml/, 'is an XML file. Open it in Excel and save it as "Excel Workbook (.xlsx)", or export CSV'],
  [/^\s*(\{\s*"|\[\s*[[{"])/, 'is a JSON file. Export the customers as CSV or Excel instead'],
  [/^\{\\rtf/, 'is a text document. Save the table in it as CSV or Excel instead'],
  // oxlint-disable-next-line no-control-regex
  [/^\x1f\u008b|^Rar!|^7z\u00bc\u00af/, 'is an archive. Unpack it and import the table inside'],
  [/^\u0089PNG|^\u00ff\u00d8\u00ff|^GIF8/, 'is a picture. Export the customers as CSV or Excel instead'],
  [/^SQLite format 3/, 'is a database. Export the customers as CSV or Excel instead'],
];

/**
 * The kind of a file, from its content, because its name can be wrong.
 * @throws UsageError that names what to export instead, for a kind that contains no table.
 */
export function fileKind(bytes: Uint8Array, shown: string): FileKind {
  if (bytes.length === 0) throw new UsageError(`${shown} is empty: it contains no rows.`);
  const head = latin1(bytes.subarray(0, SAMPLE_BYTES)).replace(/^\u00ef\u00bb\u00bf/, '');
  if (head.startsWith('PK\u0003\u0004') || head.startsWith('PK\u0005\u0006')) return archiveKind(bytes, head, shown);
  if (head.startsWith('\u00d0\u00cf\u0011\u00e0')) {
    const locked = latin1(bytes).includes('E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e');
    throw new UsageError(
      locked
        ? `${shown} is protected with a password. Save a copy without one.`
        : `${shown} is a workbook in the old Excel format (.xls). Open it in Excel and save it as "Excel Workbook (.xlsx)".`,
    );
  }
  const other = OTHER_KINDS.find(([begins]) => begins.test(head));
  if (other) throw new UsageError(`${shown} ${other[1]}.`);
  return 'text';
}

function archiveKind(bytes: Uint8Array, head: string, shown: string): FileKind {
  if (head.includes('mimetypeapplication/vnd.oasis.opendocument.spreadsheet')) return 'ods';
  // The directory of an archive is at its end.
  const names = latin1(bytes.subarray(-65_536)) + head;
  if (names.includes('xl/workbook.xml')) return 'xlsx';
  if (names.includes('xl/workbook.bin'))
    throw new UsageError(
      `${shown} is a binary workbook (.xlsb). Open it in Excel and save it as "Excel Workbook (.xlsx)".`,
    );
  if (names.includes('Index/Document.iwa'))
    throw new UsageError(`${shown} is a Numbers file. In Numbers choose File, Export To, Excel.`);
  throw new UsageError(`${shown} is an archive that contains no spreadsheet. Unpack it and import the table inside.`);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
