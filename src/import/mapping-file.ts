import { basename, dirname, join } from 'node:path';
import { isRecord } from '../text.ts';
import { readOwnFile, writeOwnFile } from './own-files.ts';

/** The decisions about a file, stored beside it and used when the file or its result is imported again. */
export interface Remembered {
  readonly map: readonly string[];
  readonly set: readonly string[];
  readonly idFrom: string | undefined;
  readonly sheet: string | undefined;
  readonly headerRow: number | undefined;
}

/** `customers` of `customers.xlsx` and of `customers.result.csv`. */
function stem(file: string): string {
  return basename(file)
    .replace(/\.(csv|tsv|txt|tab|xlsx|xlsm|xls|ods)$/i, '')
    .replace(/\.result$/i, '');
}

/** The path of the results: beside the file, or the file itself if it is a result file. */
export function resultPath(file: string): string {
  return join(dirname(file), `${stem(file)}.result.csv`);
}

/** The path of the rejected rows: beside the file, or the file itself if it is a file of rejected rows. */
export function rejectedPath(file: string): string {
  return join(dirname(file), `${stem(file).replace(/\.rejected$/i, '')}.rejected.csv`);
}

function mappingPath(file: string): string {
  return join(dirname(file), `${stem(file).replace(/\.rejected$/i, '')}.mapping.json`);
}

/** The earlier decisions about a file for this provider; `undefined` if there are none or they cannot be read. */
export async function readRemembered(file: string, provider: string): Promise<Remembered | undefined> {
  const text = await readOwnFile(mappingPath(file));
  if (text === undefined) return undefined;
  try {
    const whole: unknown = JSON.parse(text);
    const value = isRecord(whole) && isRecord(whole[provider]) ? whole[provider] : undefined;
    if (!value) return undefined;
    return {
      map: texts(value['map']),
      set: texts(value['set']),
      idFrom: typeof value['id_from'] === 'string' ? value['id_from'] : undefined,
      sheet: typeof value['sheet'] === 'string' ? value['sheet'] : undefined,
      headerRow: typeof value['header_row'] === 'number' ? value['header_row'] : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Stores decisions; those for other providers stay unchanged. @returns `false` on failure, which does not end the import. */
export async function remember(file: string, provider: string, decided: Remembered): Promise<boolean> {
  const path = mappingPath(file);
  const old = await readOwnFile(path);
  let others: Record<string, unknown> = {};
  try {
    const whole: unknown = old === undefined ? {} : JSON.parse(old);
    if (isRecord(whole)) others = whole;
  } catch {
    // A damaged file is replaced.
  }
  const { map, set, idFrom, sheet, headerRow } = decided;
  const value = { map, set, id_from: idFrom, sheet, header_row: headerRow };
  return writeOwnFile(path, `${JSON.stringify({ ...others, [provider]: value }, undefined, 2)}\n`, file);
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}
