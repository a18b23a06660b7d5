import { isRecord } from '../text.ts';
import type { Frame } from './message.ts';

/** The requests of one client over stdin and stdout that are being answered, of all protocol revisions. */
export class RunningRequests {
  readonly #send: (message: object) => void;
  readonly #running = new Map<unknown, AbortController>();

  constructor(send: (message: object) => void) {
    this.#send = send;
  }

  /** Answers a request, unless the client cancels it before. `answer` never throws. */
  async run({ id }: Frame, answer: (signal: AbortSignal) => Promise<object>): Promise<void> {
    const controller = new AbortController();
    this.#running.set(id, controller);
    const response = await answer(controller.signal);
    if (this.#running.get(id) === controller) this.#running.delete(id);
    if (!controller.signal.aborted) this.#send(response);
  }

  /** Cancels the request that a notification names. `false`: there is no such request here. */
  cancel({ method, params }: Frame): boolean {
    if (method !== 'notifications/cancelled' || !isRecord(params)) return false;
    const running = this.#running.get(params['requestId']);
    running?.abort();
    return running !== undefined;
  }
}
