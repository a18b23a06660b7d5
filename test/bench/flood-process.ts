// Calls one address again and again over so many connections, and says at its end how many answers of each status came.
import { Pool } from 'undici';

const [url = '', token = '', body = '', connections = '1'] = process.argv.slice(2);
const { origin, pathname } = new URL(url);
const pool = new Pool(origin, { connections: Number(connections) });
const headers = {
  accept: 'application/json, text/event-stream',
  'content-type': 'application/json',
  authorization: `Bearer ${token}`,
};
const counts: Record<string, number> = {};
let ended = false;

process.on('message', () => {
  ended = true;
});
process.send?.('started');
const one = async (): Promise<void> => {
  while (!ended) {
    const { statusCode, body: answer } = await pool.request({ path: pathname, method: 'POST', headers, body });
    await answer.dump();
    counts[statusCode] = (counts[statusCode] ?? 0) + 1;
  }
};
await Promise.all(Array.from({ length: Number(connections) }, one));
process.send?.(counts);
await pool.close();
process.disconnect?.();
