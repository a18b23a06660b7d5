import { z } from 'zod';
import { CustomerError } from '../errors.ts';
import { extend, type Call } from '../http-client/call.ts';
import type { Fields, ProviderCustomer } from '../providers/provider.ts';
import { cleanText, isRecord } from '../text.ts';
import { confirmationFor, isConfirmation } from './confirmation.ts';
import type { Consent, Question, ToolContext } from './tool.ts';

/** An action that cannot be undone. */
export interface Action {
  /** The question for the user: what would happen, in complete sentences. */
  readonly question: string;
  /** The id of the object of the action. */
  readonly subject: string;
  /** The current state of the object. Consent is valid for this state only. */
  readonly state: unknown;
}

/** Returns if the user has agreed to exactly this action; otherwise throws, to stop the work that called it. */
export type Approve = (action: Action) => void;

/** The argument of tools that need consent. */
export const confirmation = z.string().describe('Value from the error');

/** A call that may need consent. */
export interface ConsentScope {
  readonly tool: string;
  /** The arguments. */
  readonly input: Fields;
}

/** How often one call asks if the object keeps changing. */
const MAX_QUESTIONS = 3;

/**
 * Runs `work`, which calls `approve` right before every action that needs consent. Work that is stopped there runs again from
 * its beginning after the user has agreed, so that it reads what may have changed since; if it has changed, the user is asked
 * again. The user's time does not count toward the deadline.
 *
 * If the client can ask, an argument of the model is not consent. Otherwise consent takes a second call with the value from the
 * first one's error.
 * @throws CustomerError `confirmation_required` without consent; `store_unavailable` if the value cannot be signed.
 */
export async function withConsent<T>(
  context: ToolContext,
  { tool, input }: ConsentScope,
  work: (approve: Approve, call: Call) => Promise<T>,
): Promise<T> {
  if (!context.confirms) return work(() => {}, context.call);
  const { confirm, ...given } = input;
  let { call } = context;
  let approved: string | undefined;
  for (let questions = 0; ; questions += 1) {
    try {
      return await work((action) => {
        const question = questionOf(action, { tool, input: given }, context);
        if (bindingOf(question) !== approved) throw new NotApproved(question);
      }, call);
    } catch (error) {
      if (!(error instanceof NotApproved)) throw error;
      if (questions === MAX_QUESTIONS) throw keepsChanging();
      const askedAt = performance.now();
      await obtain(error.question, confirm, context);
      call = extend(call, performance.now() - askedAt);
      approved = bindingOf(error.question);
    }
  }
}

/** A customer in a question: its display name and its id. */
export function nameOf({ id, name = '' }: ProviderCustomer): string {
  const visible = cleanText(name, MAX_NAME).trim();
  return visible === '' ? JSON.stringify(id) : `${JSON.stringify(visible)} (${id})`;
}

const MAX_NAME = 100;

class NotApproved extends Error {
  readonly question: Question;

  constructor(question: Question) {
    super('not approved');
    this.question = question;
  }
}

function questionOf(
  { question, subject, state }: Action,
  { tool, input }: ConsentScope,
  { provider, tenant, caller = '' }: ToolContext,
): Question {
  const text = tenant ? `For ${cleanText(tenant.title)}: ${question}` : question;
  return {
    text,
    scope: canonical([provider.name, provider.account, tenant?.name ?? '', caller, tool, input]),
    state: canonical([subject, state, text]),
  };
}

/** Everything that the consent covers, as one text. */
function bindingOf({ scope, state }: Question): string {
  return canonical([scope, state]);
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

/** @throws CustomerError unless the user agrees, or has agreed. */
async function obtain(question: Question, confirm: unknown, context: ToolContext): Promise<void> {
  const consent = await context.ask(question);
  if (consent !== 'unavailable' && consent !== 'pending') await context.recordConsent?.(consent);
  if (consent === 'accepted') return;
  if (consent !== 'unavailable') throw new CustomerError('confirmation_required', ...REFUSALS[consent]);

  const confirmable = { key: await context.signingKey(), binding: bindingOf(question) };
  if (isConfirmation(confirm, confirmable)) return context.recordConsent?.('confirmed');
  const fresh = confirmationFor(confirmable);
  throw new CustomerError('confirmation_required', question.text, {
    advice: `Ask the user. If they agree, repeat the call within ten minutes with confirm set to ${JSON.stringify(fresh)}.`,
    confirm: fresh,
  });
}

const UNLESS_ASKED = { advice: 'Do not try again unless the user asks for it.' };
const NEVER = 'If this client cannot show questions to a user, its operator can set CUSTOMERS_CONFIRM=never.';

/** The messages for a user who was asked and did not agree. */
const REFUSALS: Readonly<
  Record<Exclude<Consent, 'accepted' | 'unavailable'>, readonly [string, { readonly advice: string }]>
> = {
  declined: ['The user declined, so nothing was done.', UNLESS_ASKED],
  cancelled: ['The user did not answer the question, so nothing was done.', { advice: NEVER }],
  unchecked: [
    'The form was accepted without consent in it, so nothing was done.',
    { advice: 'Tell the user; to agree, they check the box in the form.' },
  ],
  invalid: ["The client's answer to the question is not consent, so nothing was done.", UNLESS_ASKED],
  failed: ['The client could not ask the user, so nothing was done.', { advice: NEVER }],
  timed_out: ['The user did not answer within ten minutes, so nothing was done.', UNLESS_ASKED],
  pending: ['The user has not answered yet, so nothing was done.', UNLESS_ASKED],
  disconnected: ['The call ended before the user answered, so nothing was done.', UNLESS_ASKED],
};

function keepsChanging(): CustomerError {
  return new CustomerError(
    'confirmation_required',
    `The customer changed each of the ${MAX_QUESTIONS} times that the user was asked, so nothing was done.`,
    { advice: 'Try again later.' },
  );
}
