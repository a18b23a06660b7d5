// Stands between a client and the server on stdio, passes each byte on as it is, and notes both directions and the server's end.
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

const [log = '', ...command] = process.argv.slice(2);
const [program = '', ...args] = command;
const server = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const note = (from: string, text: string): void => appendFileSync(log, `${JSON.stringify({ from, text })}\n`);
note('pid', String(server.pid));
process.stdin.on('data', (chunk) => {
  note('client', String(chunk));
  server.stdin.write(chunk);
});
process.stdin.on('end', () => server.stdin.end());
server.stdout.on('data', (chunk) => {
  note('server', String(chunk));
  process.stdout.write(chunk);
});
// What a client or a server does after the other has ended is not for the tap to judge.
server.stdin.on('error', () => {});
process.stdout.on('error', () => {});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => server.kill(signal));
server.once('exit', (code, signal) => {
  note('end', String(code ?? signal));
  process.exit(code ?? 1);
});
