import { expect } from 'vitest';
import { idOf, kindOf } from '../support/answers.ts';
import { BUILT, type Connection } from '../support/client.ts';
import type { Fields, ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import type { StandIn } from '../support/stand-in.ts';

type Call = Connection['call'];

/** A call that needs consent, with all that it needs already done. */
interface Prepared {
  readonly args: Record<string, unknown>;
  /** What a question has to name. */
  readonly names: readonly string[];
  /** Whether it was carried out. */
  happened(): boolean;
}

/** A tool of a provider that does what cannot be undone. */
export interface Destructive {
  readonly kit: ProviderKit;
  readonly title: string;
  readonly tool: string;
  /** What it answers with consent. */
  readonly outcome: string;
  prepare(call: Call, standIn: StandIn): Promise<Prepared>;
}

let serial = 0;

/** A customer that no other test has used. */
export function fresh(kit: ProviderKit): { readonly id: string; readonly name: string; readonly fields: Fields } {
  serial += 1;
  const [id, name] = [`own-${serial}`, `Noether Rings ${serial}`];
  return { id, name, fields: { ...kit.minimal(name, `emmy.${serial}@noether.example`), [kit.externalIdField]: id } };
}

const deletions = kits
  .filter(({ archive }) => archive.outcome === 'deleted')
  .map((kit): Destructive => ({
    kit,
    title: `a deletion at ${kit.title}`,
    tool: 'archive_customer',
    outcome: 'deleted',
    async prepare(call, standIn) {
      const { name, fields } = fresh(kit);
      const customer_id = idOf(await call('create_customer', fields));
      const happened = (): boolean => kit.archive.done(standIn.customers.get(customer_id));
      return { args: { customer_id }, names: [name, customer_id], happened };
    },
  }));

const resends = kits
  .filter(({ upserts }) => !upserts)
  .map((kit): Destructive => ({
    kit,
    title: `a lost create that is sent again at ${kit.title}`,
    tool: 'create_customer',
    outcome: 'created',
    async prepare(call, standIn) {
      const { id, fields } = fresh(kit);
      standIn.fault({ on: 'create', act: 'reset' });
      expect(kindOf(await call('create_customer', fields))).toBe('outcome_unknown');
      const before = standIn.count('create');
      return {
        args: { ...fields, resend: true },
        names: [id],
        happened: () => standIn.count('create') > before,
      };
    },
  }));

/** The providers whose create can be told to write over a customer. */
export const overwriting = kits.filter(({ keepsExternalId, insist }) => keepsExternalId && insist !== undefined);

const overwrites = overwriting.map((kit): Destructive => ({
  kit,
  title: `a customer that is overwritten at ${kit.title}`,
  tool: 'create_customer',
  outcome: 'updated',
  async prepare(call, standIn) {
    const { name, fields } = fresh(kit);
    const customer_id = idOf(await call('create_customer', fields));
    const args = { ...fields, [kit.nameField.field]: 'Hilbert Hotels', [kit.insist ?? '']: true };
    const happened = (): boolean => standIn.customers.get(customer_id)?.[kit.nameField.stored] !== name;
    return { args, names: [name, customer_id, 'Hilbert Hotels'], happened };
  },
}));

/** Everything that needs consent. */
export const destructive: readonly Destructive[] = [...deletions, ...resends, ...overwrites];

/** The built server behind `clock.ts`. */
export const clocked = {
  command: process.execPath,
  args: ['--import', new URL('clock.ts', import.meta.url).href, BUILT],
};
