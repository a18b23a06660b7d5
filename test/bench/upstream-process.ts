// The bench's Layer, in a process of its own so that it takes no time from the driver. It speaks just enough HTTP over bare
// sockets: the less it costs, the more the servers under measurement show. Latin-1 throughout, so that a byte is a character.
import { createServer, type Socket } from 'node:net';
import { isRecord } from '../../src/text.ts';

const blank = {
  type: 'CustomerData',
  external_id: null,
  individual_name: 'Ada Byron',
  company_name: 'Acme Bakery',
  email: 'ada@acme-bakery.example',
  mobile_phone: '+1 555 010 0199',
  office_phone: null,
  address_string: '1 Main Street, Springfield, IL 62701',
  memo: null,
  status: 'ACTIVE',
  transaction_tags: [],
};
const list = { data: [], meta: { pagination: { cursor: null, has_more: false } } };

let connections = 0;
let created = 0;
let delayMs = 0;

const server = createServer({ noDelay: true }, (socket) => {
  connections += 1;
  let pending = '';
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  socket.on('data', (text) => {
    pending += String(text);
    for (let end = pending.indexOf('\r\n\r\n'); end >= 0; end = pending.indexOf('\r\n\r\n')) {
      const head = pending.slice(0, end);
      const bodyEnd = end + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (pending.length < bodyEnd) return;
      const body = pending.slice(end + 4, bodyEnd);
      if (delayMs > 0) setTimeout(() => respond(socket, head, body), delayMs);
      else respond(socket, head, body);
      pending = pending.slice(bodyEnd);
    }
  });
});

function respond(socket: Socket, head: string, body: string): void {
  const [method = '', target = ''] = head.split(' ', 2);
  const { status, answer } = answerTo(method, target.split('?')[0] ?? '', body);
  const last = /\r\nconnection: *close/i.test(head);
  const json = JSON.stringify(answer);
  const response = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\nconnection: ${last ? 'close' : 'keep-alive'}\r\n\r\n${json}`;
  if (last) socket.end(response, 'latin1');
  else socket.write(response, 'latin1');
}

function answerTo(method: string, path: string, body: string): { status: string; answer: unknown } {
  const id = /\/customers\/([^/]+)/.exec(path)?.[1];
  if (id !== undefined) return { status: '200 OK', answer: { data: { id, ...blank } } };
  if (method === 'GET') return { status: '200 OK', answer: list };
  const document: unknown = JSON.parse(body);
  created += 1;
  const customer = { id: `new-${created}`, ...blank, ...(isRecord(document) && document) };
  return { status: '201 Created', answer: { data: customer } };
}

server.listen(0, '127.0.0.1', () => process.send?.(server.address()));
// Asked for it, it says how many connections were opened since it was last asked; or it is told how long an answer takes.
process.on('message', (message) => {
  if (isRecord(message)) {
    delayMs = Number(message['delayMs']);
    process.send?.({ delayMs });
    return;
  }
  process.send?.({ connections });
  connections = 0;
});
process.on('disconnect', () => process.exit());
