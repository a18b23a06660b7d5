import { isRecord, textOf } from '../../text.ts';

/** How to show the fields of a provider's documents, as the server wrote it into the page. */
export interface Display {
  readonly names: readonly string[];
  readonly email: string | undefined;
  readonly status: string | undefined;
  readonly address: string | undefined;
  readonly externalId: string | undefined;
  readonly hidden: readonly string[];
  readonly labels: ReadonlyMap<string, string>;
}

export const display: Display = read(document.querySelector('main')?.dataset['display'] ?? '{}');

function read(json: string): Display {
  const written: unknown = JSON.parse(json);
  const { names, email, status, address, externalId, hidden, labels } = isRecord(written) ? written : {};
  return {
    names: textsIn(names),
    email: textOf(email),
    status: textOf(status),
    address: textOf(address),
    externalId: textOf(externalId),
    hidden: textsIn(hidden),
    // A map, because a field may have the name of a property that every object has.
    labels: new Map(Object.entries(isRecord(labels) ? labels : {}).map(([field, text]) => [field, String(text)])),
  };
}

function textsIn(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.map(String) : [];
}
