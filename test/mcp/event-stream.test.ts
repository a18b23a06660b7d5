import { afterEach, expect, it, vi } from 'vitest';
import { eventStream } from '../../src/mcp/event-stream.ts';

afterEach(() => void vi.useRealTimers());

it('sends something every 15 s while a call takes its time, so that no proxy closes the connection', async () => {
  vi.useFakeTimers();
  const call = Promise.withResolvers<void>();
  const { body, headers } = eventStream(async (send) => {
    await call.promise;
    send({ jsonrpc: '2.0', id: 1, result: {} });
  });
  expect(headers.get('content-type')).toBe('text/event-stream');
  const read = async (): Promise<string> => new TextDecoder().decode((await reader?.read())?.value);
  const reader = body?.getReader();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await read()).toBe(': keep-alive\n\n');
  call.resolve();
  expect(await read()).toBe('event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
  expect((await reader?.read())?.done).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

it('goes on with the call after its client has left', async () => {
  const left = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const { body } = eventStream(async (send) => {
    await left.promise;
    send({ jsonrpc: '2.0', id: 1, result: {} });
    done.resolve();
  });
  await body?.cancel();
  left.resolve();
  await done.promise;
});
