import type { Writable } from 'node:stream';

const BAR = 30;
const REDRAW_MS = 100;
const LINE_EVERY_MS = 5_000;

/** Shows the progress of an import: a bar on a terminal, a line every few seconds in a log. */
export class Progress {
  readonly #total: number;
  readonly #stream: Writable & { readonly isTTY?: boolean | undefined };
  readonly #startedAt = performance.now();
  #shownAt = performance.now();
  #done = 0;

  constructor(total: number, stream: Writable & { readonly isTTY?: boolean | undefined }) {
    this.#total = total;
    this.#stream = stream;
  }

  step(): void {
    this.#done += 1;
    const every = this.#stream.isTTY === true ? REDRAW_MS : LINE_EVERY_MS;
    if (performance.now() - this.#shownAt < every) return;
    this.#shownAt = performance.now();
    this.#stream.write(this.#stream.isTTY === true ? `\r${this.#bar()}` : `customers-mcp: ${this.#words()}\n`);
  }

  /** Prints a sentence in place of the bar. */
  print(sentence: string): void {
    this.#stream.write(`${this.#stream.isTTY === true ? '\r\u001b[K' : ''}customers-mcp: ${sentence}\n`);
  }

  end(): void {
    if (this.#stream.isTTY === true) this.#stream.write(`\r${this.#bar()}\u001b[K\n\n`);
  }

  #bar(): string {
    const filled = Math.round((this.#done / Math.max(1, this.#total)) * BAR);
    return `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}] ${this.#words()}   `;
  }

  #words(): string {
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    const rate = this.#done / Math.max(0.001, seconds);
    const left = rate > 0 ? Math.ceil((this.#total - this.#done) / rate) : 0;
    const time = left > 90 ? `, about ${Math.round(left / 60)} min left` : left > 3 ? `, about ${left} s left` : '';
    return `${this.#done.toLocaleString('en-US')} of ${this.#total.toLocaleString('en-US')} rows${seconds > 2 ? ` (${Math.round(rate)} a second${time})` : ''}`;
  }
}
