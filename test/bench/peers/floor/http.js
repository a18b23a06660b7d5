import { createServer } from 'node:http';
import { answer } from './calls.js';

createServer((incoming, response) => {
  let body = '';
  incoming.setEncoding('utf8').on('data', (text) => (body += text));
  incoming.once('end', async () => {
    const text = await answer(JSON.parse(body));
    response.writeHead(text === undefined ? 202 : 200, { 'content-type': 'application/json' }).end(text);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
