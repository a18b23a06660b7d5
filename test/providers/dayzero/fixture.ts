import { randomUUID } from 'node:crypto';
import type { Environment } from '../../support/client.ts';
import { serveFile } from '../../support/serve-file.ts';
import type { StandIn } from '../../support/stand-in.ts';
import { BLANK } from './stand-in-fields.ts';
import { DAYZERO_BUSINESS_ID, startDayZero, type DayZeroOptions } from './stand-in.ts';

export const LONG_AGO = '2024-02-01T09:30:00.000Z';

/** A server and its stand-in, as {@link serveFile} says. */
export function dayzeroWith(options: DayZeroOptions = {}, environment: Environment = {}) {
  return serveFile(() => startDayZero(options), environment);
}

/** A server outlives its tests, so each identity and each email is used by one test only. */
let used = 0;
export function someone(fields: Record<string, unknown> = {}) {
  used += 1;
  return { name: `Bakery ${used}`, email: `bakery-${used}@example.com`, ...fields };
}
export function anId(): string {
  used += 1;
  return `crm-${used}`;
}

/** Puts a customer there as if another program had made it. */
export function seed(provider: StandIn, fields: Record<string, unknown>): string {
  const id = randomUUID();
  provider.customers.set(id, {
    id,
    business_id: DAYZERO_BUSINESS_ID,
    created_at: LONG_AGO,
    updated_at: LONG_AGO,
    ...BLANK,
    is_deleted: false,
    deleted_at: null,
    stripe_customer_id: null,
    contacts: [],
    ...fields,
  });
  return id;
}

/** Deletes a customer as if another program had done it. */
export function softDelete(provider: StandIn, id: string): void {
  provider.customers.set(id, { ...provider.customers.get(id), is_deleted: true, deleted_at: new Date().toISOString() });
}
