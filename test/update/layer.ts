import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { connect, type Connection, type Environment } from '../support/client.ts';
import type { Fields } from '../support/provider-kit.ts';
import type { StandIn } from '../support/stand-in.ts';
import { startLayer, type LayerOptions } from '../providers/layer/stand-in.ts';

/** A stand-in, emptied before each test, and a server that talks to it. */
export function layerWith(options: LayerOptions = {}, environment: Environment = {}) {
  let standIn: StandIn;
  let server: Connection;
  beforeAll(async () => {
    const started = await startLayer({ tokenUses: Infinity, ...options });
    standIn = started.standIn;
    server = await connect({ ...started.environment, ...environment });
  });
  beforeEach(() => standIn.reset());
  afterAll(async () => {
    await server.close();
    await standIn.close();
  });
  return {
    get standIn() {
      return standIn;
    },
    update: (args: Fields) => server.call('update_customer', { ...args }),
    /** The methods of the writes to one customer, in their order. */
    writes: () => standIn.requests.filter(({ operation }) => operation === 'update').map(({ method }) => method),
  };
}

/** What Layer may hold of a customer beside what PUT can carry. */
export const EXTRAS = { metadata: { tier: 'gold' }, reference_number: 'REF-7' };

/** Puts a customer there as if another program had made it. */
export function seed({ customers }: StandIn, fields: Fields = {}): string {
  const id = randomUUID();
  customers.set(id, {
    type: 'CustomerData',
    id,
    external_id: `own-${id}`,
    individual_name: null,
    company_name: 'Hermann Optics',
    email: 'grete@hermann.example',
    mobile_phone: '1',
    office_phone: null,
    address_string: null,
    memo: 'Prefers mornings',
    status: 'ACTIVE',
    transaction_tags: [{ id: 't-1', key: 'department', value: 'sales' }],
    ...fields,
  });
  return id;
}
