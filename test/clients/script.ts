// What every client does, and how its answers are read: create a customer, make a mistake, delete the customer, import 30 rows.
import { isRecord } from '../../src/text.ts';

/** The columns of the table, in the sequence of the script. */
export const STEPS = ['connect', 'list', 'call', 'error', 'consent', 'import', 'close'] as const;
export type Step = (typeof STEPS)[number];
export type Cells = Partial<Record<Step, string>>;

/** A cell that begins like this has failed. */
export const FAILED = /^no\b/;

export interface Call {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
}

const CUSTOMER = { external_id: 'client-1', name: 'Acme Bakery', email: 'hello@acme.example' };
export const CREATE: Call = { tool: 'create_customer', args: CUSTOMER };
export const MISTAKE: Call = {
  tool: 'create_customer',
  args: { ...CUSTOMER, external_id: 'client-2', emial: 'hello@acme.example' },
};
export const IMPORT: Call = {
  tool: 'import_customers',
  args: {
    rows: Array.from({ length: 30 }, (_, at) => ({
      external_id: `row-${at}`,
      name: `Customer ${'abcdefghijklmnopqrstuvwxyz1234'.charAt(at).repeat(6)}`,
      email: `c${at}@customers.example`,
    })),
  },
};

export function deletion(customer_id: string, confirm?: string): Call {
  return { tool: 'archive_customer', args: { customer_id, ...(confirm !== undefined && { confirm }) } };
}

/** Everything that a client shows of an answer or an error, without the escapes of JSON in JSON. */
export function shown(value: unknown): string {
  if (value instanceof Error) return [value.message, value.cause].filter(Boolean).map(shown).join(': ');
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).replaceAll('\\', '');
}

export function customerId(text: string): string {
  return /"customer_id": ?"([^"]+)"/.exec(text)?.[1] ?? '';
}

export function confirmation(text: string): string | undefined {
  return /"confirm": ?"([^"]+)"/.exec(text)?.[1];
}

export function isDeleted(text: string): boolean {
  return /"outcome": ?"deleted"/.test(text);
}

export function listed(names: readonly string[]): string {
  return [CREATE, IMPORT].every(({ tool }) => names.includes(tool)) ? 'yes' : failed(names.join(', '));
}

export function created(text: string): string {
  return /"outcome": ?"created"/.test(text) && customerId(text) !== '' ? 'yes' : failed(text);
}

/** Whether the text of the server is shown, which suggests the right argument, or only the client's own. */
export function explained(text: string): string {
  if (/"outcome"/.test(text)) return failed('the argument was dropped');
  if (/emial.*did you mean.*email/s.test(text)) return 'yes';
  return /invalid|did not match|must NOT|failed/i.test(text) ? "the client's own text" : failed(text);
}

export function imported(text: string, withProgress: boolean): string {
  const isComplete = /"total": ?30\b/.test(text) && /"created": ?30\b/.test(text);
  return isComplete ? `yes${withProgress ? ', with progress' : ''}` : failed(text);
}

export function failed(reason: string): string {
  return `no: ${reason.slice(0, 300)}`;
}

/** The fields of a form, filled in by a user who agrees to everything. */
export function filledIn(question: unknown): object {
  const schema = isRecord(question) ? question['requestedSchema'] : undefined;
  const fields = isRecord(schema) && isRecord(schema['properties']) ? Object.keys(schema['properties']) : [];
  return { action: 'accept', content: Object.fromEntries(fields.map((field) => [field, true])) };
}
