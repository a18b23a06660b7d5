// What goes over the wire between a client and the server, noted without a change to it: over HTTP by a relay, on stdio by tap.ts.
import { existsSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { isRecord } from '../../src/text.ts';
import { parsed } from '../support/process.ts';
import { failed } from './script.ts';

const ENDING_MS = 5_000;

/** Everything that each side has sent. */
export interface Wire {
  readonly client: string;
  readonly server: string;
}

/** The notes of tap.ts: what was sent, and of the last process its id, and its exit code or signal, if it has ended. */
export function readTap(file: string): Wire & { readonly pid: number; readonly end: string | undefined } {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  const notes = lines.map(parsed).filter(isRecord);
  const from = (side: string): string[] =>
    notes.filter((note) => note['from'] === side).map(({ text }) => String(text));
  return {
    client: from('client').join(''),
    server: from('server').join(''),
    pid: Number(from('pid').at(-1)),
    end: from('end').at(-1),
  };
}

/**
 * Whether the process behind the tap ends as it should, soon after the client has closed it. A client may kill both, the tap
 * before it has noted the end.
 */
export async function endOf(file: string): Promise<string> {
  const late = Date.now() + ENDING_MS;
  while (readTap(file).end === undefined && isAlive(readTap(file).pid) && Date.now() < late) await pause(20);
  const { end, pid } = readTap(file);
  if (end !== undefined) return end === '0' ? 'yes' : failed(`exit ${end}`);
  return isAlive(pid) ? failed('the server is still running') : 'yes';
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export interface Relay {
  readonly url: string;
  wire(): Wire;
  close(): void;
}

export async function startRelay(target: string): Promise<Relay> {
  const { port, pathname } = new URL(target);
  let [client, server] = ['', ''];
  const relay = createServer((incoming, answer) => {
    const { url, method, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port, path: url, method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.on('data', (chunk) => (server += String(chunk))).on('end', () => (server += '\n'));
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    incoming.on('data', (chunk) => (client += String(chunk))).on('end', () => (client += '\n'));
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}${pathname}`,
    wire: () => ({ client, server }),
    close() {
      relay.close();
      relay.closeAllConnections();
    },
  };
}

/** The protocol revision in which the client asked for the tools. */
export function revision({ client, server }: Wire): string {
  const list = client.split('\n').find((line) => line.includes('"tools/list"')) ?? '';
  const stated = /"io\.modelcontextprotocol\/protocolVersion": ?"([\d-]+)"/.exec(list)?.[1];
  return stated ?? /"protocolVersion": ?"([\d-]+)"/.exec(server)?.[1] ?? '';
}

/** Whether the server asked the user of this client. */
export function wasAsked({ server }: Wire): boolean {
  return /"elicitation\/create"/.test(server);
}

export function hadProgress({ server }: Wire): boolean {
  return /"notifications\/progress"/.test(server);
}
