import { randomUUID } from 'node:crypto';
import type { AuditLine, AuditTrail } from '../audit.ts';
import { CustomerError } from '../errors.ts';
import type { CreateRequest } from '../identity/create-request.ts';
import type { Fields, Provider } from '../providers/provider.ts';
import { isRecord, textOf } from '../text.ts';
import type { Consent, ServerContext, Tool, ToolClient } from './tool.ts';

/** What is known about a write before it is sent. */
interface Write {
  readonly tool: string;
  readonly row?: number;
  readonly customerId: string | undefined;
  readonly archivedId?: string | undefined;
  readonly externalId: string | undefined;
  /** The names of the fields that it would write. */
  readonly fields: readonly string[];
}

/** How a write ended. */
interface End {
  readonly outcome?: string | undefined;
  readonly error?: string | undefined;
  readonly customerId?: string | undefined;
  readonly externalId?: string | undefined;
  /** The fields that changed, if the write changed an existing customer. */
  readonly changed?: object | undefined;
}

/** Agents can pass any text as an ID, so a text that is not like one is not recorded. */
const LIKE_AN_ID = /^(?=.*\d)[\w.:-]{1,80}$/;
const LIKE_A_REQUEST_ID = /^[\w-]{1,64}$/;

/** The record of one write in the audit trail. */
export class Recording {
  readonly #trail: AuditTrail;
  readonly #context: Pick<ServerContext, 'provider' | 'caller' | 'sandbox' | 'tenant'>;
  readonly #write: Write;
  readonly #base: Omit<AuditLine, 'event'>;

  constructor(trail: AuditTrail, context: RecordingContext, write: Write) {
    const { provider, caller, sandbox, tenant, requestId } = context;
    const { tool, row } = write;
    this.#trail = trail;
    this.#context = context;
    this.#write = write;
    this.#base = {
      write_id: randomUUID(),
      ...(isRequestId(requestId) && { request_id: requestId }),
      ...(tenant && { tenant: tenant.name }),
      ...(caller !== undefined && { caller }),
      tool,
      provider: provider.name,
      ...(sandbox && { sandbox }),
      ...(row !== undefined && { row }),
    };
  }

  /**
   * Records that the write is about to be sent, if the trail is required.
   * @throws CustomerError `store_unavailable` if that fails, because then nothing may be sent.
   */
  async begin(): Promise<void> {
    if (!this.#trail.required) return;
    if (!(await this.#add({ event: 'intent', fields: this.#write.fields }))) throw this.#refused();
  }

  /** Records the answer to a question. @throws CustomerError `store_unavailable` if a required record of a yes fails. */
  async consent(outcome: Consent | 'confirmed'): Promise<void> {
    const written = await this.#add({ event: 'consent', outcome });
    const permits = outcome === 'accepted' || outcome === 'confirmed';
    if (!written && permits && this.#trail.required) throw this.#refused();
  }

  /** Records the end. The write has happened by then, so a failure is a warning, which is returned if the trail is required. */
  async end({ outcome, error, customerId, externalId, changed }: End): Promise<readonly string[]> {
    const { fields } = this.#write;
    const written = await this.#add(
      {
        event: 'write',
        ...(changed ? { fields: Object.keys(changed) } : (error !== undefined || outcome === 'created') && { fields }),
        ...(outcome !== undefined && { outcome }),
        ...(error !== undefined && { error }),
      },
      { customerId, externalId },
    );
    if (written || !this.#trail.required) return [];
    return ['The audit trail did not record how this write ended. Tell the operator to check CUSTOMERS_AUDIT.'];
  }

  async #add(line: Pick<AuditLine, 'event' | 'fields' | 'outcome' | 'error'>, shown: End = {}): Promise<boolean> {
    const { name, account } = this.#context.provider;
    const { customerId, archivedId, externalId } = this.#write;
    const id = shown.customerId ?? likeAnId(customerId);
    const archived = likeAnId(archivedId);
    const own = shown.externalId ?? externalId;
    const hash = own === undefined ? undefined : await this.#trail.hash([name, account, own]);
    return this.#trail.write({
      ...this.#base,
      ...line,
      ...(id !== undefined && { customer_id: id }),
      ...(archived !== undefined && { archived_customer_id: archived }),
      ...(hash !== undefined && { external_id_hash: hash }),
    });
  }

  #refused(): CustomerError {
    const { title } = this.#context.provider;
    return new CustomerError(
      'store_unavailable',
      `The audit trail cannot be written, and the operator requires it. Nothing was sent to ${title}.`,
      { advice: 'Try again later. If the problem persists, the operator must check CUSTOMERS_AUDIT.' },
    );
  }
}

type RecordingContext = Pick<ServerContext, 'provider' | 'caller' | 'sandbox' | 'tenant' | 'audit'> &
  Pick<ToolClient, 'requestId'>;

/** The recording of a call. `undefined` if there is no trail, if the tool only reads, or if it records rows. */
export function recordCall(tool: Tool, input: Fields, context: RecordingContext): Recording | undefined {
  const { audit, provider } = context;
  if (!audit || tool.hints.readOnlyHint || tool.recordsRows) return undefined;
  return new Recording(audit, context, {
    tool: tool.name,
    customerId: textOf(input['customer_id']),
    archivedId: textOf(input['customer_to_archive_id']),
    externalId: textOf(input[provider.traits.externalIdField]),
    fields: fieldsIn(input, provider),
  });
}

/** The recording of a row of an import; `undefined` if there is no trail. */
export function recordRow(
  { row, request }: { readonly row: number; readonly request: CreateRequest },
  context: RecordingContext,
): Recording | undefined {
  const { audit, provider } = context;
  if (!audit) return undefined;
  const fields = fieldsIn(request.fields, provider);
  const { externalId } = request;
  return new Recording(audit, context, { tool: 'import_customers', row, customerId: undefined, externalId, fields });
}

/** The end of a call from the tool's result. */
export function endOf(result: Fields): End {
  return {
    outcome: textOf(result['outcome']),
    customerId: textOf(result['customer_id']),
    externalId: textOf(result['external_id']),
    changed: isRecord(result['changed']) ? result['changed'] : undefined,
  };
}

/** The names of the customer's fields that an input sets or clears. */
function fieldsIn(input: Fields, { documents, traits }: Provider): string[] {
  const selecting = [traits.externalIdField, traits.overwriteField];
  const named = Object.keys(input).filter(
    (name) => (name in documents.create.shape || name in documents.update.shape) && !selecting.includes(name),
  );
  const cleared = Array.isArray(input['clear']) ? input['clear'].map(String) : [];
  return [...named, ...cleared];
}

function likeAnId(text: string | undefined): string | undefined {
  return text !== undefined && LIKE_AN_ID.test(text) ? text : undefined;
}

function isRequestId(id: string | number | undefined): id is string | number {
  return typeof id === 'number' || (id !== undefined && LIKE_A_REQUEST_ID.test(id));
}
