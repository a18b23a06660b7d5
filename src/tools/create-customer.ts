import { z } from 'zod';
import { invalidInput } from '../errors.ts';
import type { CreateRequest } from '../identity/create-once.ts';
import { cleanText } from '../text.ts';
import type { Fields, Provider } from '../providers/provider.ts';
import { documentOf, hints, outputs, ownId, requireConsent, stringOf, unkept, type Operation } from './tool.ts';

/** What describes a customer to be created, and what decides about duplicates: the provider's fields, and ours where they mean something. */
export function createInput({ documents, traits, findSimilar }: Provider): z.ZodObject {
  const ownExternalId = traits.externalIdField in documents.create.shape;
  return documents.create.extend({
    ...(!ownExternalId && {
      [traits.externalIdField]: ownId.optional(),
    }),
    ...(findSimilar && { allow_duplicate: z.boolean().describe('Create though the email is taken').optional() }),
  });
}

/** What a person decides after a create was lost. */
function afterLoss({ traits }: Provider) {
  return traits.createUpserts
    ? {}
    : {
        resend: z.boolean().describe('Send again after outcome_unknown').optional(),
        confirm: z.string().describe('As asked for').optional(),
      };
}

/** @throws CustomerError `invalid_input` when nothing describes the customer. */
export function createRequestOf(input: Fields, { documents, traits }: Provider): CreateRequest {
  const document = documentOf(input, documents.create);
  const fields = Object.fromEntries(Object.entries(document).filter(([field]) => field !== traits.overwriteField));
  if (Object.keys(fields).length === 0)
    throw invalidInput([{ path: '', message: 'give at least one field of the customer' }]);
  return {
    externalId: stringOf(input[traits.externalIdField]),
    document,
    fields,
    allowDuplicate: input['allow_duplicate'] === true,
    overwrite: traits.overwriteField !== undefined && input[traits.overwriteField] === true,
    resend: input['resend'] === true,
  };
}

export const createCustomer: Operation = (provider) => {
  const { traits, title } = provider;
  return {
    name: 'create_customer',
    title: 'Create customer',
    description: `Creates a ${title} customer. With ${traits.externalIdField} it is safe to repeat. ${traits.onCreate}`,
    input: createInput(provider).extend(afterLoss(provider)),
    output: z.looseObject({
      outcome: z.enum(['created', 'updated', 'existing']).optional(),
      customer_id: outputs.text,
      external_id: outputs.text,
      customer: outputs.customer,
      warnings: outputs.list,
      error: outputs.error,
    }),
    hints: hints(traits.createUpserts ? 'repeatable write' : 'write'),

    async run(input, session) {
      const request = createRequestOf(input, provider);
      const { externalId, fields, resend } = request;
      let { call } = session;
      if (resend) {
        if (externalId === undefined)
          throw invalidInput([
            {
              path: 'resend',
              message: `goes with the ${traits.externalIdField} of the create that is to be sent again`,
            },
          ]);
        const name = cleanText(externalId);
        call = await requireConsent(
          session,
          `Sends the create of ${JSON.stringify(name)} to ${title} again, though it may have been carried out already.`,
          name,
          input['confirm'],
        );
      }

      const { outcome, customer, document: answered, warnings } = await session.creates.create(request, call);
      const own = customer?.externalId ?? externalId;
      const notes = [...warnings, ...(customer ? unkept(fields, [], customer, provider) : [])];
      return {
        outcome,
        ...(customer && { customer_id: customer.id }),
        ...(own !== undefined && { external_id: own }),
        customer: answered,
        ...(notes.length > 0 && { warnings: notes }),
      };
    },
  };
};
