import { randomUUID } from 'node:crypto';
import type { Environment, ToolResult } from '../../support/client.ts';
import { serveFile } from '../../support/serve-file.ts';
import { isRecord, type StandIn } from '../../support/stand-in.ts';
import { startNotify, type NotifyOptions } from './stand-in.ts';

/** A server and its stand-in, as {@link serveFile} says. */
export function notifyWith(options: NotifyOptions = {}, environment: Environment = {}) {
  return serveFile(() => startNotify(options), environment);
}

/** A server outlives its tests, so each code is used by one test only. */
let used = 0;
export function aCode(): string {
  used += 1;
  return `K-${used}`;
}

/** Puts a customer there as if another program had made it. */
export function seed(provider: StandIn, fields: Record<string, unknown> = {}): string {
  const id = randomUUID();
  provider.customers.set(id, {
    resource: 'customer',
    id,
    customerCode: aCode(),
    name: 'Bloemen B.V.',
    address: { address: '', postalcode: '', city: '', country: 'NL' },
    contact: '',
    phone: '',
    mobile: '',
    email: '',
    invoiceEmail: '',
    registrationNumber: '',
    language: 'dutch',
    ...fields,
  });
  return id;
}

export function operations(provider: StandIn): string[] {
  return provider.requests.map(({ operation }) => operation);
}

export function idsOf({ data }: ToolResult): unknown[] {
  const rows = Array.isArray(data['customers']) ? data['customers'] : [];
  return rows.map((row) => (isRecord(row) ? row['customer_id'] : undefined));
}
