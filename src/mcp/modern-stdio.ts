import { isRecord } from '../text.ts';
import type { Frame } from './message.ts';
import { answerModern } from './modern.ts';
import type { McpServer } from './server.ts';

/** The requests of protocol revision 2026-07-28 from one client over stdin and stdout. */
export class ModernConnection {
  readonly #server: McpServer;
  readonly #send: (message: object) => void;
  readonly #running = new Map<unknown, AbortController>();

  constructor(server: McpServer, send: (message: object) => void) {
    this.#server = server;
    this.#send = send;
  }

  /** Answers a request. A notification needs no answer. */
  receive(frame: Frame): void {
    if (this.cancel(frame) || !('id' in frame)) return;
    void this.#answer(frame);
  }

  /** Cancels the request that a notification names; it then gets no answer. `false`: there is no such request here. */
  cancel({ method, params }: Frame): boolean {
    if (method !== 'notifications/cancelled' || !isRecord(params)) return false;
    const running = this.#running.get(params['requestId']);
    running?.abort();
    return running !== undefined;
  }

  async #answer(frame: Frame): Promise<void> {
    const controller = new AbortController();
    const { id } = frame;
    this.#running.set(id, controller);
    const sendNotification = (notification: object): void => this.#send(notification);
    const response = await answerModern(this.#server, { frame, signal: controller.signal, sendNotification });
    if (this.#running.get(id) === controller) this.#running.delete(id);
    if (!controller.signal.aborted) this.#send(response);
  }
}
