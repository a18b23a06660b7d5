// Loaded into our server before it starts (--expose-gc --import): tells on SIGUSR2 what keeps its event loop busy, and what is
// left on its heap after a collection.
import { writeSync } from 'node:fs';

let told = 0;
process.on('SIGUSR2', () => {
  told += 1;
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  globalThis.gc();
  writeSync(2, `\nPROBE ${told} ${timers} ${process.memoryUsage().heapUsed}\n`);
});
