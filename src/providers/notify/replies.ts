import type { ProviderError } from '../../http-client/failures.ts';
import { isRecord, textOf } from '../../text.ts';
import type { Fields, ProviderCustomer } from '../provider.ts';
import { notifyDocuments } from './documents.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * One published list sample has the id under `customerCode`, the code under `number` and no `id`
 * (https://docs.notify.nl/customers); it is read as intended.
 */
export function readCustomer(document: unknown): ProviderCustomer | undefined {
  if (!isRecord(document)) return undefined;
  const code = textOf(document['customerCode']);
  const shifted = document['id'] === undefined && code !== undefined && UUID.test(code) && 'number' in document;
  const id = shifted ? code : textOf(document['id']);
  if (id === undefined) return undefined;
  const externalId = shifted ? textOf(document['number']) : (code ?? textOf(document['number']));
  return {
    id,
    externalId,
    name: textOf(document['name']),
    state: 'active',
    createdAt: undefined,
    document,
    fields: fieldsOf(document, externalId),
    partial: !('name' in document),
  };
}

/** The flat fields of requests, from the nested document of answers. */
function fieldsOf(document: Fields, code: string | undefined): Fields {
  const address = isRecord(document['address']) ? document['address'] : {};
  const { Overwrite: _, ...shape } = notifyDocuments.create.shape;
  return Object.fromEntries(
    Object.keys(shape).flatMap((field) => {
      const name = field.charAt(0).toLowerCase() + field.slice(1);
      const value = field === 'CustomerCode' ? code : (textOf(address[name]) ?? textOf(document[name]));
      return value === undefined ? [] : [[field, value]];
    }),
  );
}

const IN_ADDRESS: ReadonlySet<string> = new Set(['Address', 'Postalcode', 'City', 'Country']);

/** The nested document of answers, from the flat names of requests. */
export function documentOf(fields: Fields): Fields {
  const own = Object.entries(fields).map(([field, value]): [string, unknown, boolean] => [
    field.charAt(0).toLowerCase() + field.slice(1),
    value,
    IN_ADDRESS.has(field),
  ]);
  const part = (inAddress: boolean): Fields =>
    Object.fromEntries(own.filter(([, , nested]) => nested === inAddress).map(([name, value]) => [name, value]));
  const address = part(true);
  return { ...part(false), ...(Object.keys(address).length > 0 && { address }) };
}

/** The address of the next page, absolute or relative. HAL puts links under `_links`, the documentation under `links`. */
export function nextLink(body: Fields): string | undefined {
  const links = isRecord(body['links']) ? body['links'] : isRecord(body['_links']) ? body['_links'] : {};
  return isRecord(links['next']) ? textOf(links['next']['href']) : textOf(links['next']);
}

/** The id of the first customer on the page of a link. */
export function fromOf(href: string): string | undefined {
  const query = new URL(href, 'http://relative').searchParams;
  return [...query].find(([name]) => name.toLowerCase() === 'from')?.[1] || undefined;
}

/** `{status, title, detail}`; its status is unreliable: the page itself shows 405 in an HTTP 400. */
export function parseError(body: unknown): ProviderError {
  return isRecord(body) ? { message: textOf(body['detail']) ?? textOf(body['title']) } : {};
}
