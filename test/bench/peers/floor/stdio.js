import { answer } from './calls.js';

let rest = '';
process.stdin.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop();
  for (const line of lines)
    void answer(JSON.parse(line)).then((text) => text !== undefined && process.stdout.write(`${text}\n`));
});
