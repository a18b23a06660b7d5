import { z } from 'zod';
import type { CustomerRef, IdMap } from '../identity/id-map.ts';
import type { CreateOnce } from '../identity/create-once.ts';
import { CustomerError, invalidInput } from '../errors.ts';
import type { Call } from '../http-client.ts';
import type { Fields, Provider, ProviderCustomer } from '../providers/provider.ts';

/** What a person said when asked; `unavailable`: this client has no way to ask. */
export type Consent = 'accepted' | 'declined' | 'unavailable';

/** Whoever called a tool, as the tool can reach them. */
export interface Client {
  /** Aborted when they do not want the answer any more. */
  readonly signal: AbortSignal;
  ask(question: string): Promise<Consent>;
  /** How far a long call is; what it is counted in is the tool's business. */
  progress(done: number, total: number): void;
}

/** What a tool works with during one call. */
export interface Session extends Omit<Client, 'signal'> {
  readonly provider: Provider;
  readonly ids: IdMap;
  readonly creates: CreateOnce;
  readonly call: Call;
  /** The whole of one call, ms; what takes more is made of several. */
  readonly timeoutMs: number;
  /** Whether the operator wants people to be asked at all. */
  readonly confirms: boolean;
}

/** An operation as one provider offers it: what tools/list shows, and what a call does. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  readonly hints: Hints;
  run(input: Fields, session: Session): Promise<Fields>;
}

export interface Hints {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** One customer verb, written once for all providers. `undefined` where the provider cannot. */
export type Operation = (provider: Provider) => Tool | undefined;

/** The hints: everything here talks to a system outside. */
export function hints(kind: 'read' | 'write' | 'repeatable write' | 'destructive'): Hints {
  return {
    readOnlyHint: kind === 'read',
    destructiveHint: kind === 'destructive',
    idempotentHint: kind !== 'write',
    openWorldHint: true,
  };
}

// Output schemas are slim and nothing in them is required: clients hold error answers against them too.
const text = z.string().optional();
const list = z.array(z.unknown()).optional();
const customer = z.looseObject({}).optional();
const error = z.looseObject({}).optional();
export const outputs = { text, list, customer, error };

const LONGEST_OWN_ID = 255;

/** Compared byte for byte, so without control characters. */
function isPlain(id: string): boolean {
  return !/\p{Cc}/u.test(id);
}

/** An external id that only our ledger keeps. */
export const ownId = z
  .string()
  .max(LONGEST_OWN_ID)
  .refine(isPlain, 'holds control characters')
  .describe('Its ID in your system');

/** The arguments by which a customer is found. */
export function refShape({ title, traits }: Provider) {
  const externalId =
    traits.externalIdInUpdate === 'linked'
      ? z.string().refine((id) => id.length <= LONGEST_OWN_ID && isPlain(id), 'cannot be an id')
      : z.string();
  return {
    customer_id: z.string().describe(`${title}'s ID`).optional(),
    [traits.externalIdField]: externalId.describe('Your own ID').optional(),
  };
}

/**
 * The customer that a call is about.
 * @throws CustomerError `invalid_input` unless exactly one of the two ids is there.
 */
export function refOf(input: Fields, { traits }: Provider): CustomerRef {
  const customerId = stringOf(input['customer_id']);
  const externalId = stringOf(input[traits.externalIdField]);
  if ((customerId === undefined) === (externalId === undefined)) {
    const how =
      customerId === undefined
        ? `give customer_id or ${traits.externalIdField}`
        : `give customer_id or ${traits.externalIdField}, not both`;
    throw invalidInput([{ path: 'customer_id', message: how }]);
  }
  return { customerId, externalId };
}

export function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A customer as answers show it. */
export function shown(
  one: ProviderCustomer,
  externalId?: string,
): { customer_id: string; external_id?: string; customer: Fields } {
  const own = one.externalId ?? externalId;
  return { customer_id: one.id, ...(own !== undefined && { external_id: own }), customer: one.document };
}

/** Only the fields that the provider's own document has, in its order. */
export function documentOf(input: Fields, schema: z.ZodObject): Fields {
  return Object.fromEntries(
    Object.keys(schema.shape).flatMap((field) => (input[field] === undefined ? [] : [[field, input[field]]])),
  );
}

/** Sentences for what was sent and did not come back: the provider accepted the request but perhaps not all of it. */
export function unkept(sent: Fields, cleared: readonly string[], one: ProviderCustomer, provider: Provider): string[] {
  const present = provider.fieldsOf(one);
  const missing = Object.keys(sent).filter((field) => present[field] === undefined);
  const other = Object.keys(sent).filter(
    (field) => present[field] !== undefined && typeof sent[field] !== 'object' && present[field] !== sent[field],
  );
  const left = cleared.filter((field) => present[field] !== undefined);
  return [
    ...missing.map((field) => `${provider.title} accepted the request but its answer has no ${field}.`),
    ...other.map((field) => `${provider.title} accepted the request but its answer has another ${field}.`),
    ...left.map((field) => `${provider.title} accepted the request but its answer still has ${field}.`),
  ];
}

/**
 * Makes sure that a person agrees to what cannot be undone, and returns the call to go on with: the time that the person took
 * does not count. Where the client can ask, an argument of the model's is no consent.
 * @throws CustomerError `confirmation_required` otherwise.
 */
export async function requireConsent(session: Session, what: string, name: string, confirm: unknown): Promise<Call> {
  if (!session.confirms) return session.call;
  const askedAt = performance.now();
  const consent = await session.ask(`${what} This cannot be undone.`);
  const call: Call = { ...session.call, deadline: session.call.deadline + performance.now() - askedAt };
  if (consent === 'accepted' || (consent === 'unavailable' && confirm === name)) return call;
  throw new CustomerError(
    'confirmation_required',
    consent === 'declined'
      ? 'The person did not agree, so nothing was done. Do not try again unless they ask for it.'
      : `${what} This cannot be undone. Ask the person; if they agree, repeat the call with confirm set to exactly ${JSON.stringify(name)}.`,
    consent === 'declined' ? {} : { confirm: name },
  );
}
