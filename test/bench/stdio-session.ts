import { isRecord } from '../../src/text.ts';
import { INITIALIZE, inTime, launch, resultOf, succeeded, type Fields, type Launch, type Session } from './session.ts';

/** Launches a server that speaks over its pipes. */
export async function openStdio(how: Launch): Promise<Session> {
  const startedAt = performance.now();
  const { child, ended, stderr, close } = launch(how);
  const waiting = new Map<unknown, PromiseWithResolvers<Fields>>();
  let lastId = 0;
  const send = (message: Fields): void => void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

  const receive = (line: string): void => {
    const message: unknown = JSON.parse(line);
    if (!isRecord(message)) return;
    const { id, method } = message;
    // Some servers ping their client.
    if (method !== undefined) return id === undefined ? undefined : send({ id, result: {} });
    const slot = waiting.get(id);
    waiting.delete(id);
    try {
      slot?.resolve(resultOf(message));
    } catch (error) {
      slot?.reject(error);
    }
  };
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + String(text)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('{')) receive(line);
  });
  ended.catch((error: unknown) => waiting.forEach(({ reject }) => reject(error)));

  const request = (method: string, params: Fields = {}): Promise<Fields> => {
    const slot = Promise.withResolvers<Fields>();
    lastId += 1;
    waiting.set(lastId, slot);
    send({ id: lastId, method, params });
    return slot.promise;
  };
  try {
    const { method, params } = how.first ?? { method: 'initialize', params: INITIALIZE };
    await inTime(request(method, params));
  } catch (error) {
    await close();
    throw error;
  }
  const startMs = performance.now() - startedAt;
  if (!how.first) send({ method: 'notifications/initialized' });
  return {
    pid: child.pid ?? 0,
    startMs,
    stderr,
    request,
    call: (call) => succeeded(request('tools/call', { ...call })),
    close,
  };
}
