import type { Readable, Writable } from 'node:stream';
import { isRecord } from '../text.ts';
import { joinWrites } from './joined-writes.ts';
import { faultIn, isAnswer, tidied, type Frame } from './message.ts';
import { INVALID_REQUEST, PARSE_ERROR } from './method.ts';

export interface FrameOptions {
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** The number of calls in flight. */
  load(): number;
  receive(frame: Frame): void;
}

const MAX_FRAME_BYTES = 10 * 1024 * 1024;
/** How much of a larger frame is kept at each end, to find its id. */
const EDGE_BYTES = 64 * 1024;
/** While this much output waits for the client, or this many calls are in flight, no further frame is processed. */
const MAX_UNSENT_BYTES = 1024 * 1024;
const MAX_LOAD = 256;
/** The limit of queued frames: enough to detect the end of the input behind the output of a client that does not read. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
/** What a queued frame takes besides its bytes, so that many small frames count as well. */
const FRAME_OVERHEAD_BYTES = 256;
const POLL_MS = 20;

const NEWLINE = 10;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * JSON-RPC over two pipes, one frame per line. Every frame with an id gets an answer, even one that is too large, not valid
 * UTF-8 or not a request; so does a frame that is unreadable. The server stops reading from a client that does not read its answers, to limit memory.
 */
export class Frames {
  readonly #options: FrameOptions;
  /** An incomplete line. */
  #line: Buffer[] = [];
  #lineBytes = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FrameOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.stdin.on('data', this.#read);
    this.#options.stdout.on('drain', this.#work);
  }

  stop(): void {
    const { stdin, stdout } = this.#options;
    stdin.off('data', this.#read);
    stdin.pause();
    stdout.off('drain', this.#work);
    clearTimeout(this.#timer);
  }

  send(message: object): void {
    const { stdout, load } = this.#options;
    // Joins answers that are ready at the same time into one write; a single answer is not delayed.
    if (load() > 0) joinWrites(stdout);
    stdout.write(`${JSON.stringify(message)}\n`);
  }

  readonly #read = (chunk: Buffer): void => {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      this.#append(chunk.subarray(from, end));
      from = end + 1;
      const line = Buffer.concat(this.#line);
      const tooLarge = this.#lineBytes > MAX_FRAME_BYTES;
      this.#line = [];
      this.#lineBytes = 0;
      if (tooLarge) this.#refuseLarge(line);
      else if (line.length > 0) {
        this.#waiting.push(line);
        this.#waitingBytes += line.length + FRAME_OVERHEAD_BYTES;
      }
    }
    this.#append(chunk.subarray(from));
    this.#work();
  };

  #append(part: Buffer): void {
    this.#line.push(part);
    this.#lineBytes += part.length;
    if (this.#lineBytes <= MAX_FRAME_BYTES || this.#line.length < 2) return;
    const whole = Buffer.concat(this.#line);
    if (whole.length > 4 * EDGE_BYTES)
      this.#line = [whole.subarray(0, EDGE_BYTES), Buffer.from(whole.subarray(-EDGE_BYTES))];
    else this.#line = [whole];
  }

  readonly #work = (): void => {
    const { stdin, stdout, load } = this.#options;
    clearTimeout(this.#timer);
    const isBlocked = (): boolean => stdout.writableLength > MAX_UNSENT_BYTES || load() >= MAX_LOAD;
    // Not by `shift`, which moves all the others in a long queue.
    let handled = 0;
    for (const line of this.#waiting) {
      if (isBlocked()) break;
      handled += 1;
      this.#waitingBytes -= line.length + FRAME_OVERHEAD_BYTES;
      this.#handle(line);
    }
    if (handled > 0) this.#waiting = this.#waiting.slice(handled);
    if (this.#waiting.length > 0) this.#timer = setTimeout(this.#work, POLL_MS);
    if (this.#waitingBytes > MAX_WAITING_BYTES) stdin.pause();
    else if (stdin.isPaused()) stdin.resume();
  };

  #handle(line: Buffer): void {
    const text = textOf(line);
    if (text === undefined)
      return this.#refuse(edgeId(line.toString('latin1')), PARSE_ERROR, 'The frame is not valid UTF-8.');
    if (text.trim() === '') return;
    const value = parse(text);
    if (value === undefined) return this.#refuse(edgeId(text), PARSE_ERROR, 'The frame is not valid JSON.');
    if (!Array.isArray(value)) return this.#receive(value);
    const why = 'This server takes no batches over stdio. Send each message on a line of its own.';
    for (const member of value)
      if (isRecord(member) && 'id' in member) this.#refuse(member['id'], INVALID_REQUEST, why);
  }

  #receive(value: unknown): void {
    if (!isRecord(value)) return this.#refuse(undefined, INVALID_REQUEST, 'The frame is not an object.');
    const frame = tidied(value);
    const fault = isAnswer(frame) ? undefined : faultIn(frame);
    if (!fault) this.#options.receive(frame);
    else if ('id' in frame) this.#refuse(frame['id'], fault.code, fault.message);
  }

  #refuseLarge(edges: Buffer): void {
    const why = `The frame is larger than ${MAX_FRAME_BYTES} bytes. Send less at once, such as fewer rows.`;
    this.#refuse(edgeId(edges.toString('latin1')), INVALID_REQUEST, why);
  }

  /** The error has the id of the frame, if it has one that a client can find in its list, even a fraction. */
  #refuse(id: unknown, code: number, message: string): void {
    const isComparable = typeof id === 'string' || typeof id === 'number';
    this.send({ jsonrpc: '2.0', ...(isComparable && { id }), error: { code, message } });
  }
}

/** Decodes UTF-8; `undefined` for invalid bytes. The decoder drops a byte-order mark. */
function textOf(line: Buffer): string | undefined {
  try {
    return UTF8.decode(line);
  } catch {
    return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const ID = String.raw`"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)`;
const PLAIN_MEMBER = String.raw`"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"`;
const ID_AT_START = new RegExp(String.raw`^\s*\{\s*(?:${PLAIN_MEMBER}\s*,\s*)*${ID}`);
const ID_AT_END = new RegExp(String.raw`,\s*${ID}\s*(?:,\s*${PLAIN_MEMBER}\s*)*\}\s*$`);

/** The id of an unparsable frame, if it is at the start or the end, where clients write it. */
function edgeId(text: string): unknown {
  const found = (ID_AT_START.exec(text) ?? ID_AT_END.exec(text))?.[1];
  return found === undefined ? undefined : parse(found);
}
