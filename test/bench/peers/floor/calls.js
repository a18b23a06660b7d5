// The floor: what any server has to do. Reads a message, makes the same request with undici, and writes the answer: no SDK, no
// schema, no checks.
import { Agent, request } from 'undici';

const dispatcher = new Agent();
const base = `${process.env.LAYER_BASE_URL}/v1/businesses/${process.env.LAYER_BUSINESS_ID}/customers`;
const authorization = `Bearer ${process.env.LAYER_ACCESS_TOKEN}`;

async function call({ name, arguments: given }) {
  const { body } =
    name === 'get_customer'
      ? await request(`${base}/${given.customer_id}`, { dispatcher, headers: { authorization } })
      : await request(base, {
          dispatcher,
          method: 'POST',
          headers: { authorization, 'content-type': 'application/json' },
          body: JSON.stringify(given),
        });
  const { data } = await body.json();
  return { content: [{ type: 'text', text: JSON.stringify(data) }], structuredContent: data };
}

const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'floor', version: '1' } };

/** The answer to a message as text; `undefined` for a notification. */
export async function answer({ id, method, params }) {
  if (id === undefined) return undefined;
  const result = method === 'tools/call' ? await call(params) : method === 'initialize' ? HELLO : { tools: [] };
  return JSON.stringify({ jsonrpc: '2.0', id, result });
}
