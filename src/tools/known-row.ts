import { CustomerError, NOTHING_SENT } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import type { CreateRequest } from '../identity/create-request.ts';
import type { IdMap } from '../identity/id-map.ts';
import type { Provider, ProviderCustomer } from '../providers/provider.ts';

/** How to import a row that an earlier import created a customer for. */
export type KnownRow =
  | { readonly kind: 'same'; readonly customer: ProviderCustomer }
  /** Send it like any row, under the external ID that the customer has. */
  | { readonly kind: 'send'; readonly request: CreateRequest };

/**
 * Recognizes a row of a result file that is imported again. A spreadsheet may have removed leading zeros from its external ID,
 * so the ID of the customer that it became takes precedence.
 * @throws CustomerError `conflict` if the row now has another external ID.
 */
export async function recognizeRow(
  request: CreateRequest,
  customerId: string,
  { provider, ids, call }: { readonly provider: Provider; readonly ids: IdMap; readonly call: Call },
): Promise<KnownRow> {
  const customer = await provider.getCustomer(customerId, call).catch((error: unknown) => {
    if (error instanceof CustomerError && ['not_found', 'invalid_input'].includes(error.kind)) return undefined;
    throw error;
  });
  if (!customer || customer.state === 'deleted') return { kind: 'send', request };
  const { externalIdField } = provider.traits;
  const now = customer.fields;
  const unchanged = Object.entries(request.fields).every(
    ([field, value]) => field === externalIdField || sameButForSpreadsheet(String(value), String(now[field] ?? '')),
  );
  const { externalId: own } = await ids.withExternalId(customer);
  if (own === undefined) {
    if (unchanged) return { kind: 'same', customer };
    return { kind: 'send', request };
  }
  if (own === request.externalId) return { kind: 'send', request };
  if (!sameButForSpreadsheet(own, request.externalId ?? ''))
    throw new CustomerError(
      'conflict',
      `This row was imported as customer ${customerId} with ${externalIdField} ${JSON.stringify(own)} but now has ${externalIdField} ${JSON.stringify(request.externalId)}.`,
      {
        assurance: NOTHING_SENT,
        advice: `Restore ${JSON.stringify(own)}, or clear import_customer_id to create another customer.`,
      },
    );
  if (unchanged) return { kind: 'same', customer };
  const restored = (fields: Readonly<Record<string, unknown>>) =>
    externalIdField in fields ? { ...fields, [externalIdField]: own } : fields;
  return {
    kind: 'send',
    request: { ...request, externalId: own, document: restored(request.document), fields: restored(request.fields) },
  };
}

/** Whether two texts differ only in what spreadsheets change in numbers: leading zeros, a plus sign, the last digits. */
function sameButForSpreadsheet(a: string, b: string): boolean {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left === undefined || right === undefined) return a.trim() === b.trim();
  return left === right || (/e/i.test(a + b) && Number(left).toPrecision(6) === Number(right).toPrecision(6));
}

function numberOf(text: string): string | undefined {
  const plain = text.trim().replace(/^'/, '').replace(/^\+/, '').replace(',', '.');
  if (/^\d+$/.test(plain)) return plain.replace(/^0+(?=\d)/, '');
  return /^\d(?:\.\d+)?e\+?\d{1,2}$/i.test(plain) ? String(Number(plain)) : undefined;
}
