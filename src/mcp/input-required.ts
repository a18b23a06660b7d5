import { createHash, randomUUID } from 'node:crypto';
import { isRecord } from '../text.ts';
import { confirmationFor, isConfirmation } from '../tools/confirmation.ts';
import type { Consent, Question } from '../tools/tool.ts';
import { canAsk, consentIn, formFor } from './consent-form.ts';
import { INVALID_PARAMS, RpcError, type Params } from './method.ts';

/** The key of the only question in a result. */
const QUESTION = 'consent';

/** What a consent that travels through the client depends on. */
export interface ConsentKeeper {
  readonly signingKey: () => Promise<Buffer>;
  readonly useOnce: (value: string) => Promise<boolean>;
}

/** The result that asks the user in place of the tool's result. */
export interface InputRequired {
  readonly resultType: 'input_required';
  readonly inputRequests: Readonly<Record<string, object>>;
  readonly requestState: string;
}

/**
 * Asks the user by multi round-trip requests: the first call ends with the question and a signed state, and the client repeats
 * the call with the answer and the state.
 * https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr
 *
 * A state is valid for ten minutes and once, for the same account, caller, tool and arguments, and for the exact question. It
 * contains no data of a customer.
 */
export class RoundTrip {
  readonly #params: Params;
  readonly #capabilities: unknown;
  readonly #keeper: ConsentKeeper;
  /** The state that came with the call counts for one question. */
  #isAnswered = false;
  #ending: InputRequired | RpcError | undefined;

  constructor(params: Params, capabilities: unknown, keeper: ConsentKeeper) {
    this.#params = params;
    this.#capabilities = capabilities;
    this.#keeper = keeper;
  }

  /** How the request ends, if not with the method's own result. @throws RpcError for a state that is not valid. */
  get inputRequired(): InputRequired | undefined {
    if (this.#ending instanceof RpcError) throw this.#ending;
    return this.#ending;
  }

  async ask(question: Question): Promise<Consent> {
    if (!canAsk(this.#capabilities)) return 'unavailable';
    const { requestState, inputResponses } = this.#params;
    if (requestState === undefined || this.#isAnswered) return this.#request(question);
    this.#isAnswered = true;

    const [nonce = '', digest = '', ...signed] = typeof requestState === 'string' ? requestState.split('.') : [];
    const confirmable = { key: await this.#keeper.signingKey(), binding: bindingOf(question, nonce, digest) };
    if (!isConfirmation(signed.join('.'), confirmable)) return this.#refuse('is not valid for this call');
    const answer = isRecord(inputResponses) ? inputResponses[QUESTION] : undefined;
    if (!isRecord(answer) || answer['action'] === undefined) return this.#request(question);
    if (!(await this.#keeper.useOnce(nonce))) return this.#refuse('was used before');
    const consent = consentIn(answer);
    return consent === 'accepted' && digest !== digestOf(question) ? this.#request(question) : consent;
  }

  async #request(question: Question): Promise<Consent> {
    const [nonce, digest] = [randomUUID(), digestOf(question)];
    const confirmable = { key: await this.#keeper.signingKey(), binding: bindingOf(question, nonce, digest) };
    this.#ending = {
      resultType: 'input_required',
      inputRequests: { [QUESTION]: { method: 'elicitation/create', params: formFor(question.text) } },
      requestState: [nonce, digest, confirmationFor(confirmable)].join('.'),
    };
    return 'pending';
  }

  #refuse(why: string): Consent {
    this.#ending = new RpcError(
      INVALID_PARAMS,
      `The requestState ${why}, so nothing was done. Repeat the call without it.`,
    );
    return 'invalid';
  }
}

function bindingOf({ scope }: Question, nonce: string, digest: string): string {
  return JSON.stringify(['requestState', scope, nonce, digest]);
}

function digestOf({ state }: Question): string {
  return createHash('sha256').update(state).digest('base64url');
}
