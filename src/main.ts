#!/usr/bin/env node
// This file runs on any Node version, at least to report that it is too old; everything else is loaded afterwards.
import process from 'node:process';
import { keepCompiled } from './compile-cache.ts';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  const problem = `customers-mcp needs Node 22.19 or newer; this is Node ${process.versions.node}. Install a current one from https://nodejs.org.`;
  process.stderr.write(`${problem}\n`);
  if (process.argv.length === 2) {
    const { reportStartFailure } = await import('./cli/start-failure.ts');
    await reportStartFailure(process, problem);
  }
  process.exit(1);
}
keepCompiled();
// Node 22 warns on stderr at every start that its SQLite is experimental; Node 24 calls the same module stable.
const { emitWarning } = process;
process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
  if (rest[0] !== 'ExperimentalWarning') Reflect.apply(emitWarning, process, [warning, ...rest]);
};
const { run } = await import('./cli/cli.ts');

let hangup: (() => void) | undefined;
const stopped = new Promise<void>((resolve) => {
  // Not `once`: a second signal would end the process in the middle of a create, and under npm one Ctrl-C arrives twice.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  process.on('SIGHUP', () => (hangup ?? resolve)());
});
const onHangup = (run: () => void): void => void (hangup = run);
const { env: environment, stdin, stdout, stderr } = process;
// A closed reader ends the output, not the program.
stdout.on('error', () => {});
stderr.on('error', () => {});
process.exit(await run(process.argv.slice(2), { environment, stdin, stdout, stderr, stopped, onHangup }));
