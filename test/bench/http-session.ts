import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { INITIALIZE, inTime, launch, resultOf, succeeded, type Fields, type Launch, type Session } from './session.ts';

/** More than are ever in flight at once. */
const CONNECTIONS = 64;

/** Launches a server that speaks Streamable HTTP, and talks to it over connections that are kept. */
export async function openHttp(how: Launch): Promise<Session> {
  if (!how.http) throw new Error('a launch over HTTP needs its address');
  const startedAt = performance.now();
  const { child, ended, stderr, close } = launch(how);
  const { origin, port, pathname } = new URL(how.http.url);
  const pool = new Pool(origin, { connections: CONNECTIONS });
  const headers: Record<string, string> = {
    ...how.http.headers,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  };
  let lastId = 0;

  const post = async (message: Fields): Promise<string> => {
    const response = await pool.request({
      path: pathname,
      method: 'POST',
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`HTTP ${response.statusCode}: ${text.slice(0, 300)}`);
    const session = response.headers['mcp-session-id'];
    if (typeof session === 'string') headers['mcp-session-id'] = session;
    return text;
  };
  const request = async (method: string, params: Fields = {}): Promise<Fields> => {
    lastId += 1;
    const text = await post({ id: lastId, method, params });
    // JSON, or a stream of events whose last one is the answer.
    const json = text.startsWith('{') ? text : text.slice(text.lastIndexOf('data: ') + 'data: '.length);
    return resultOf(JSON.parse(json));
  };
  const end = async (): Promise<void> => {
    await pool.destroy();
    await close();
  };
  try {
    await inTime(Promise.race([ended, listening(Number(port), child)]));
    await inTime(Promise.race([ended, request('initialize', INITIALIZE)]));
  } catch (error) {
    await end();
    throw error;
  }
  const startMs = performance.now() - startedAt;
  headers['mcp-protocol-version'] = '2025-11-25';
  await post({ method: 'notifications/initialized' });
  return {
    pid: child.pid ?? 0,
    startMs,
    stderr,
    request,
    call: (call) => succeeded(request('tools/call', { ...call })),
    close: end,
  };
}

/** Tries until a server accepts, or the process has ended. */
async function listening(port: number, child: { readonly exitCode: number | null }): Promise<void> {
  while (child.exitCode === null && !(await accepts(port))) await pause(2);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
