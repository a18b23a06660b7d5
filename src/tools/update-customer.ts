import { z } from 'zod';
import { invalidInput } from '../errors.ts';
import type { CustomerRef } from '../identity/id-map.ts';
import type { Linked } from '../identity/link.ts';
import type { Changes, Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import { textOf } from '../text.ts';
import { emailNotes, missingFields, outputs, toAnswer, unlinkedNotes } from './answers.ts';
import { customerRef, refShape } from './customer-ref.ts';
import { hints, pickDocument, type Operation, type ToolContext } from './tool.ts';

const output = z.looseObject({
  outcome: z.enum(['updated', 'unchanged']).optional(),
  changed: outputs.changed,
  customer_id: outputs.text,
  external_id: outputs.text,
  customer: outputs.customer,
  warnings: outputs.list,
  error: outputs.error,
});

export const updateCustomer: Operation = (provider) => {
  const { documents, traits } = provider;
  const onBothIds = meaningOfBothIds(provider);
  return {
    name: 'update_customer',
    title: 'Update customer',
    description: `Change only the fields you pass. Select by customer_id or ${traits.externalIdField}${
      onBothIds === 'refused' ? '' : `; with both, ${traits.externalIdField} is ${onBothIds}`
    }.`,
    input: z.strictObject({
      ...refShape(provider),
      ...documents.update.shape,
      clear: z.array(z.enum(traits.clearable)).describe('Fields to clear').optional(),
    }),
    output,
    hints: hints('repeatable write'),

    async run(input, context) {
      const changes = changesOf(input, context.blanks, provider);
      const customerId = textOf(input['customer_id']);
      const externalId = textOf(input[traits.externalIdField]);
      const both = customerId !== undefined && externalId !== undefined;
      const ref = both ? { customerId, externalId: undefined } : customerRef(input, provider);
      const linked = both && onBothIds === 'linked' ? await link(externalId, ref, context) : undefined;

      const { customer, changed, warnings, unread } = await context.updates.updateCustomer(
        { ...ref, changes },
        context.call,
      );
      context.directory.noteWrite(unread ? undefined : customer);
      const [from = null] = linked?.unlinked ?? [];
      const moved = linked?.outcome === 'linked' && { [traits.externalIdField]: { from, to: externalId } };
      const all = { ...changed, ...moved };
      const notes = [
        ...(linked ? unlinkedNotes(linked, provider) : []),
        ...warnings,
        ...answerNotes(changes, unread ? undefined : customer, provider),
        ...keptFields(context.blanks, customer, provider),
      ];
      return {
        outcome: Object.keys(all).length > 0 ? 'updated' : 'unchanged',
        changed: all,
        ...toAnswer(await context.ids.withExternalId(customer), externalId),
        ...(notes.length > 0 && { warnings: notes }),
      };
    },
  };
};

/** Warnings for invalid emails, and for values that the provider's answer lacks, if it could be read. */
function answerNotes(changes: Changes, answer: ProviderCustomer | undefined, provider: Provider): string[] {
  return [...emailNotes(changes.set, provider), ...(answer ? missingFields(changes, answer, provider.title) : [])];
}

/** A warning about fields that were passed empty and have a value. */
function keptFields(
  blanks: readonly string[],
  { fields }: ProviderCustomer,
  { documents, traits }: Provider,
): string[] {
  const kept = blanks.filter(
    (name) => name in documents.update.shape && name !== traits.externalIdField && fields[name] !== undefined,
  );
  if (kept.length === 0) return [];
  return [`${kept.join(', ')}: passed empty, which changes nothing. To clear a field, name it in clear.`];
}

/** The meaning of `customer_id` and the external id together. */
function meaningOfBothIds({ documents, traits }: Provider): 'written' | 'linked' | 'refused' {
  if (traits.externalIdKeptBy === 'ledger') return 'linked';
  return traits.externalIdField in documents.update.shape ? 'written' : 'refused';
}

function changesOf(input: Fields, blanks: readonly string[], provider: Provider): Changes {
  const { documents, traits } = provider;
  const both = input['customer_id'] !== undefined && input[traits.externalIdField] !== undefined;
  const onBothIds = both ? meaningOfBothIds(provider) : undefined;
  if (onBothIds === 'refused') {
    const message = 'cannot be changed; pass either it or customer_id to select the customer';
    throw invalidInput([{ path: traits.externalIdField, message }]);
  }
  const set = Object.fromEntries(
    Object.entries(pickDocument(input, documents.update)).filter(
      ([field]) => field !== traits.externalIdField || onBothIds === 'written',
    ),
  );
  const clear = Array.isArray(input['clear']) ? input['clear'].map(String) : [];
  const contrary = clear.find((field) => field in set);
  if (contrary !== undefined) throw invalidInput([{ path: contrary, message: 'cannot be both set and cleared' }]);
  if (isNothing({ set, clear }) && onBothIds !== 'linked') {
    const empty = traits.clearable.filter((field) => blanks.includes(field));
    const message =
      empty.length > 0
        ? `nothing to change: null and "" count as not given; to clear, pass clear: ${JSON.stringify(empty)}`
        : 'nothing to change: pass at least one field, or name it in clear';
    throw invalidInput([{ path: '', message }]);
  }
  return { set, clear };
}

function isNothing({ set, clear }: Changes): boolean {
  return Object.keys(set).length === 0 && clear.length === 0;
}

async function link(externalId: string, ref: CustomerRef, { ids, creates, call }: ToolContext): Promise<Linked> {
  const customer = await ids.read(ref, call);
  return creates.link(externalId, customer, call);
}
