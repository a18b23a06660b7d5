import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { HttpClient } from '../src/http-client.ts';

/** A server on loopback that does with a connection, once its request is there, what the test says. */
async function serverThat(answer: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

function clientOf(baseUrl: string): HttpClient {
  const client = new HttpClient({
    title: 'Test',
    baseUrl,
    credentials: 'KEY',
    address: 'URL',
    secrets: [],
    readRefusal: () => ({}),
  });
  onTestFinished(() => client.close());
  return client;
}

const call = () => ({ signal: new AbortController().signal, deadline: performance.now() + 2_000 });

test.each(['102 Processing', '103 Early Hints'])(
  'an answer that was only announced (%s) leaves the fate of a create unknown',
  async (announcement) => {
    const client = clientOf(
      await serverThat((socket) => {
        socket.write(`HTTP/1.1 ${announcement}\r\n\r\n`, () => setTimeout(() => socket.destroy(), 20));
      }),
    );
    const request = { effect: 'create', method: 'POST', path: '/customers', json: {} } as const;
    await expect(client.send(request, call())).rejects.toMatchObject({ kind: 'outcome_unknown' });
  },
);

test('an answer that was announced and then given is the answer', async () => {
  const client = clientOf(
    await serverThat((socket) => {
      socket.end('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\n{"id":"1"}');
    }),
  );
  const request = { effect: 'create', method: 'POST', path: '/customers', json: {} } as const;
  expect(await client.send(request, call())).toMatchObject({ status: 201, body: { id: '1' } });
});
