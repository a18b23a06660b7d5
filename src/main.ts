#!/usr/bin/env node
// Runs on any Node far enough to say that it is too old; everything else is loaded after that.
import module from 'node:module';
import process from 'node:process';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    `customers-mcp needs Node 22.19 or newer; this is Node ${process.versions.node}. Install a current one from https://nodejs.org.\n`,
  );
  process.exit(1);
}
module.enableCompileCache?.();
// Node 22 calls its SQLite experimental on stderr, at every start; it is the one that Node 24 calls stable.
const { emitWarning } = process;
process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
  if (rest[0] !== 'ExperimentalWarning') Reflect.apply(emitWarning, process, [warning, ...rest]);
};
const { run } = await import('./cli.ts');
// What was compiled is else kept at a good end only, and some hosts kill their servers.
setTimeout(() => module.flushCompileCache?.(), 250).unref();

const stopped = new Promise((resolve) => {
  // Not once: a second signal would end it in the middle of a create, and under npm one Ctrl-C comes twice.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve);
});
const { env: environment, stdin, stdout, stderr } = process;
// A reader that has gone away ends the output, not the program.
stdout.on('error', () => {});
stderr.on('error', () => {});
process.exit(await run(process.argv.slice(2), { environment, stdin, stdout, stderr, stopped }));
