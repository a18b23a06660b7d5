import { z } from 'zod';
import { invalidInput } from '../errors.ts';
import type { Changes, Fields, Provider, Updated } from '../providers/provider.ts';
import {
  documentOf,
  hints,
  outputs,
  refOf,
  refShape,
  shown,
  stringOf,
  unkept,
  type Operation,
  type Session,
} from './tool.ts';

export const updateCustomer: Operation = (provider) => {
  const { documents, traits, title } = provider;
  return {
    name: 'update_customer',
    title: 'Update customer',
    description: `Changes only the named fields. Find it by customer_id or ${traits.externalIdField}.${
      traits.externalIdInUpdate === 'refused'
        ? ''
        : ` Both: customer_id finds, ${traits.externalIdField} is ${traits.externalIdInUpdate}.`
    }`,
    input: z.strictObject({
      ...refShape(provider),
      ...documents.update.shape,
      clear: z.array(z.enum(traits.clearable)).describe('Fields to empty').optional(),
    }),
    output: z.looseObject({
      outcome: z.enum(['updated', 'unchanged']).optional(),
      changed: outputs.list,
      customer_id: outputs.text,
      external_id: outputs.text,
      customer: outputs.customer,
      warnings: outputs.list,
      error: outputs.error,
    }),
    hints: hints('repeatable write'),

    async run(input, session) {
      const changes = changesOf(input, provider);
      const externalId = stringOf(input[traits.externalIdField]);
      const both = input['customer_id'] !== undefined && externalId !== undefined;
      const ref = both ? { customerId: stringOf(input['customer_id']), externalId: undefined } : refOf(input, provider);
      const tied =
        both && traits.externalIdInUpdate === 'linked' ? await tie(externalId, ref.customerId ?? '', session) : false;

      const { customer, changed, unread } = await send(ref, changes, session);
      if (both && traits.externalIdInUpdate === 'written') await session.ids.remember(externalId, customer.id);
      const all = tied ? [...changed, traits.externalIdField] : changed;
      const warnings = unread
        ? [
            `${title} accepted the update, but its answer could not be read; the customer is shown as it was found otherwise.`,
          ]
        : unkept(changes.set, changes.clear, customer, provider);
      return {
        outcome: all.length > 0 ? 'updated' : 'unchanged',
        changed: all,
        ...shown(customer, externalId),
        ...(warnings.length > 0 && { warnings }),
      };
    },
  };
};

function changesOf(input: Fields, provider: Provider): Changes {
  const { documents, traits } = provider;
  const named = documentOf(input, documents.update);
  const both = input['customer_id'] !== undefined && input[traits.externalIdField] !== undefined;
  if (both && traits.externalIdInUpdate === 'refused') {
    throw invalidInput([
      {
        path: traits.externalIdField,
        message: 'cannot be changed; to find the customer give either it or customer_id',
      },
    ]);
  }
  const written = both && traits.externalIdInUpdate === 'written';
  const set = Object.fromEntries(
    Object.entries(named).filter(([field]) => field !== traits.externalIdField || written),
  );
  const clear = Array.isArray(input['clear']) ? input['clear'].map(String) : [];
  const contrary = clear.find((field) => field in set);
  if (contrary !== undefined) throw invalidInput([{ path: contrary, message: 'is given a value and cleared at once' }]);
  const linked = both && traits.externalIdInUpdate === 'linked';
  if (Object.keys(set).length === 0 && clear.length === 0 && !linked) {
    throw invalidInput([
      {
        path: '',
        message: 'nothing to change: give at least one field, or name it in clear (null and "" mean not given)',
      },
    ]);
  }
  return { set, clear };
}

async function tie(externalId: string, customerId: string, session: Session): Promise<boolean> {
  const customer = await session.ids.read({ customerId, externalId: undefined }, session.call);
  return (await session.creates.link(externalId, customer, session.call)) === 'linked';
}

async function send(
  ref: Parameters<Session['ids']['withId']>[0],
  changes: Changes,
  { provider, ids, call }: Session,
): Promise<Updated> {
  const nothing = Object.keys(changes.set).length === 0 && changes.clear.length === 0;
  if (nothing) return { customer: await ids.read(ref, call), changed: [] };
  return ids.withId(ref, call, (id) => provider.updateCustomer(id, changes, call, ref.externalId));
}
