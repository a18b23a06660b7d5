import { z } from 'zod';
import { invalidInput, textFor } from '../errors.ts';
import type { CreateAnswer, CreateRequest } from '../identity/create-request.ts';
import { changedBetween, differing, type Changed } from '../identity/difference.ts';
import type { IntentData } from '../identity/intent.ts';
import type { Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import { cleanText, textOf } from '../text.ts';
import { emailNotes, missingFields, outputs } from './answers.ts';
import { confirmation, nameOf, withConsent, type Action } from './consent.ts';
import { ledgerId } from './customer-ref.ts';
import { hints, pickDocument, type Operation, type ToolContext } from './tool.ts';

/** The input of a create: the provider's fields, and our arguments about duplicates where they apply. */
export function createInput({ documents, traits }: Provider): z.ZodObject {
  return documents.create.extend({
    ...(traits.externalIdKeptBy === 'ledger' && { [traits.externalIdField]: ledgerId.optional() }),
    allow_duplicate: z.boolean().describe('Create even if a similar customer exists').optional(),
  });
}

/** The user's decision after a create was lost. */
function afterLoss({ traits }: Provider) {
  return traits.createUpserts
    ? {}
    : {
        resend: z.boolean().describe('Resend after outcome_unknown').optional(),
        confirm: confirmation.optional(),
      };
}

/**
 * The create of a customer that neither overwrites nor sends again: both need consent.
 * @throws CustomerError `invalid_input` without a field of the customer.
 */
export function createRequestOf(input: Fields, { documents, traits }: Provider): CreateRequest {
  const { [traits.overwriteField ?? '']: _, ...fields } = pickDocument(input, documents.create);
  if (Object.keys(fields).length === 0)
    throw invalidInput([{ path: '', message: 'pass at least one field of the customer' }]);
  return {
    externalId: textOf(input[traits.externalIdField]),
    document: fields,
    fields,
    allowDuplicate: input['allow_duplicate'] === true,
  };
}

/**
 * What a create is asked to do that needs consent.
 * @throws CustomerError `invalid_input` for sending a create again that is not named.
 */
function risksOf(input: Fields, { traits }: Provider): { readonly resends: boolean; readonly overwrites: boolean } {
  const resends = input['resend'] === true;
  if (resends && textOf(input[traits.externalIdField]) === undefined) {
    const message = `requires the ${traits.externalIdField} of the lost create`;
    throw invalidInput([{ path: 'resend', message }]);
  }
  return { resends, overwrites: traits.overwriteField !== undefined && input[traits.overwriteField] === true };
}

/** The action of resending a create with an unknown outcome. */
function resendOf({ externalId, salt, sentAt }: IntentData, title: string): Action {
  const id = JSON.stringify(cleanText(externalId));
  return {
    question: `Send the create of ${id} to ${title} again? If the first one succeeded after all, there will be two customers.`,
    subject: externalId,
    state: [salt, sentAt],
  };
}

/**
 * The action of overwriting a customer; `undefined` if that would change nothing. Fields that cannot be cleared get the
 * provider's default.
 */
function overwriteOf(existing: ProviderCustomer, fields: Fields, { title, traits }: Provider): Action | undefined {
  const { document, fields: present } = existing;
  const replaced = Object.keys(differing({ set: fields, clear: [] }, existing).set);
  const left = Object.keys(present).filter((field) => !(field in fields));
  const emptied = left.filter((field) => traits.clearable.includes(field));
  if (replaced.length === 0 && emptied.length === 0) return undefined;

  const reset = left.filter((field) => !emptied.includes(field));
  const value = (field: string): string => `${field} (${shown(present[field])})`;
  const effects = [
    ...replaced.map((field) => `${value(field)} becomes ${shown(fields[field])}`),
    ...emptied.map((field) => `${value(field)} is cleared`),
    ...reset.map((field) => `${value(field)} is set to its default`),
  ];
  return {
    question: `Overwrite the ${title} customer ${nameOf(existing)}? Then ${effects.join(', ')}.`,
    subject: existing.id,
    state: document,
  };
}

const MAX_SHOWN = 40;

/** A value in a question, which must leave room for all the others. */
function shown(value: unknown): string {
  if (value === undefined) return 'empty';
  const text = cleanText(typeof value === 'string' ? value : JSON.stringify(value));
  return JSON.stringify(text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN - 1)}…`);
}

export const createCustomer: Operation = (provider) => {
  const { traits, title } = provider;
  return {
    name: 'create_customer',
    title: 'Create customer',
    description: `Create a ${title} customer. Pass ${traits.externalIdField} to make retries safe. ${traits.onCreate}`,
    input: createInput(provider).extend(afterLoss(provider)),
    output: z.looseObject({
      outcome: z.enum(['created', 'updated', 'existing']).optional(),
      customer_id: outputs.text,
      external_id: outputs.text,
      changed: outputs.changed,
      customer: outputs.customer,
      warnings: outputs.list,
      error: outputs.error,
    }),
    hints: hints(traits.createUpserts ? 'repeatable write' : 'write'),

    async run(input, context) {
      const request = createRequestOf(input, provider);
      const { fields } = request;
      const { resends, overwrites } = risksOf(input, provider);
      return withConsent(context, { tool: 'create_customer', input }, async (approve, call) => {
        let overwritten: ProviderCustomer | undefined;
        const answer = await context.creates.create(
          {
            ...request,
            ...(resends && { resend: (lost) => approve(resendOf(lost, title)) }),
            ...(overwrites && {
              overwrite(existing) {
                const action = overwriteOf(existing, fields, provider);
                if (action) approve(action);
                overwritten = action && existing;
                return action !== undefined;
              },
            }),
          },
          call,
        );
        context.directory.noteWrite(answer.customer);
        return toCreateAnswer({ request, answer, overwritten }, context);
      });
    },
  };
};

interface Created {
  readonly request: CreateRequest;
  readonly answer: CreateAnswer;
  /** The customer as it was before it was written over. */
  readonly overwritten: ProviderCustomer | undefined;
}

function toCreateAnswer(
  { request: { externalId, fields }, answer, overwritten }: Created,
  context: ToolContext,
): Fields {
  const { provider, tools } = context;
  const { outcome, customer, document, changed, warnings } = answer;
  const own = customer?.externalId ?? externalId;
  const kept =
    customer && outcome !== 'existing' ? missingFields({ set: fields, clear: [] }, customer, provider.title) : [];
  const notes = [...warnings.map((warning) => textFor(warning, tools)), ...emailNotes(fields, provider), ...kept];
  return {
    outcome,
    ...(customer && { customer_id: customer.id }),
    ...(own !== undefined && { external_id: own }),
    ...(changed && { changed }),
    ...(customer && overwritten && { changed: changesOf(overwritten, customer) }),
    customer: document,
    ...(notes.length > 0 && { warnings: notes }),
  };
}

/** The changes of a customer that was overwritten. */
function changesOf({ fields: before }: ProviderCustomer, { fields: after }: ProviderCustomer): Changed {
  return changedBetween(before, after, [...new Set([...Object.keys(before), ...Object.keys(after)])]);
}
