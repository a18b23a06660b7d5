import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CustomerError } from '../src/errors.ts';
import { startCall } from '../src/http-client/call.ts';
import { HttpClient } from '../src/http-client/client.ts';

/** A server on loopback that passes each connection to `answer` after the request has arrived. */
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
    parseError: () => ({}),
  });
  onTestFinished(() => client.close());
  return client;
}

const call = () => startCall(new AbortController().signal, 2_000);

test.each(['102 Processing', '103 Early Hints'])(
  'an interim response (%s) without a final one leaves the outcome of a create unknown',
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

test('the final response after an interim response is used', async () => {
  const client = clientOf(
    await serverThat((socket) => {
      socket.end('HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\n{"id":"1"}');
    }),
  );
  const request = { effect: 'create', method: 'POST', path: '/customers', json: {} } as const;
  expect(await client.send(request, call())).toMatchObject({ status: 201, body: { id: '1' } });
});

describe('Retry-After', () => {
  /** The error of a read when each response is a 429 with these headers, and the number of requests. */
  async function readAgainst(headers: readonly string[], timeoutMs: number, status = '429 Too Many Requests') {
    let requests = 0;
    const client = clientOf(
      await serverThat((socket) => {
        requests += 1;
        socket.end([`HTTP/1.1 ${status}`, 'content-length: 2', ...headers, '', '{}'].join('\r\n'));
      }),
    );
    const request = { effect: 'read', method: 'GET', path: '/customers' } as const;
    const error: unknown = await client.send(request, startCall(new AbortController().signal, timeoutMs)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof CustomerError)) throw new Error('no failure');
    return { error, requests };
  }

  const inAnHour = new Date(Date.now() + 3_600_000);
  const [day = '', date = '', month = '', year = '', time = ''] = inAnHour.toUTCString().split(/,? /);
  const weekday = inAnHour.toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' });

  test.each([
    ['10', 10],
    [' 10 ', 10],
    ['9.2', 10],
    ['5000000', 5_000_000],
    ['1000000000000', 1_000_000_000],
    ['9'.repeat(400), 1_000_000_000],
  ])('of %j beyond the time limit ends the call and reports when to retry', async (value, seconds) => {
    const { error, requests } = await readAgainst([`retry-after: ${value}`], 5_000);
    expect(requests).toBe(1);
    expect(error).toMatchObject({ kind: 'rate_limited', details: { retry_after_s: seconds } });
    expect(error.message).toContain(`${seconds} s`);
  });

  test.each(['5000000', '1000000000000'])('of %j also ends a call without a time limit', async (value) => {
    const { error, requests } = await readAgainst([`retry-after: ${value}`], Number.POSITIVE_INFINITY);
    expect(requests).toBe(1);
    expect(error).toMatchObject({ kind: 'rate_limited', details: { retry_after_s: expect.any(Number) } });
  });

  test.each([
    `${day}, ${date} ${month} ${year} ${time} GMT`,
    `${weekday}, ${date}-${month}-${year.slice(2)} ${time} GMT`,
    `${day} ${month} ${date.replace(/^0/, ' ')} ${time} ${year}`,
  ])('can be a date in each format of HTTP: %s', async (value) => {
    const { error, requests } = await readAgainst([`retry-after: ${value}`], 5_000);
    expect(requests).toBe(1);
    expect(error.details.retry_after_s).toBeGreaterThan(3_500);
    expect(error.details.retry_after_s).toBeLessThanOrEqual(3_600);
  });

  test('as a date counts from the date of the answer, whatever the clock of this machine', async () => {
    const at = (s: number): string => new Date(Date.now() + s * 1_000).toUTCString();
    const ahead = await readAgainst([`date: ${at(3_600)}`, `retry-after: ${at(3_620)}`], 5_000);
    expect(ahead.error.details.retry_after_s).toBeLessThanOrEqual(21);
    const behind = await readAgainst([`date: ${at(-3_600)}`, `retry-after: ${at(-3_580)}`], 5_000);
    expect(behind.requests).toBe(1);
    expect(behind.error.details.retry_after_s).toBeGreaterThanOrEqual(19);
    const undated = await readAgainst(['date: yesterday', `retry-after: ${at(20)}`], 5_000);
    expect(undated.error.details.retry_after_s).toBeGreaterThan(10);
  });

  test('without a time is retried, and the message contains no number', async () => {
    const { error, requests } = await readAgainst(['retry-after: 0'], 5_000);
    expect(requests).toBe(3);
    expect(error.message).not.toMatch(/\b0 s/);
  });

  test('is also reported for an unavailable provider', async () => {
    const { error } = await readAgainst(['retry-after: 3600'], 5_000, '503 Service Unavailable');
    expect(error).toMatchObject({ kind: 'unavailable', details: { retry_after_s: 3_600 } });
    expect(error.message).toContain('3600 s');
  });

  test('with any other value is ignored', async () => {
    const numbers = ['', '-3', '-0', '+3', '5, 5', '5,5', '1e12', '0x10', '1.', '.5', '1.2.3', 'Infinity', 'NaN'];
    const dates = ['2999-12-31', '12/31/2999', 'Tue, 99 Dec 2999 23:59:59 GMT', 'Tue, 31 Dec 2999 23:59:59 CET'];
    const values = [...numbers, ...dates, '10 s', 'soon'];
    const seen = await Promise.all(
      values.map(async (value) => {
        const { error, requests } = await readAgainst([`retry-after: ${value}`], 5_000);
        return { value, requests, details: error.details };
      }),
    );
    expect(seen).toEqual(values.map((value) => ({ value, requests: 3, details: {} })));
  });

  test('is ignored if it occurs twice', async () => {
    const { error, requests } = await readAgainst(['retry-after: 5', 'retry-after: 5'], 5_000);
    expect({ requests, details: error.details }).toEqual({ requests: 3, details: {} });
  });
});
