// One of several processes that count in a file, each time under a lease. Arguments: address of the store, key, file, counts.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, systemRandom } from '../../src/identity/clock.ts';
import { Leases } from '../../src/identity/lease.ts';
import { chooseStore } from '../../src/stores/open-store.ts';
import { Settings } from '../../src/settings.ts';

const [address = '', key = '', file = '', counts = '0'] = process.argv.slice(2);
const store = await chooseStore(address, new Settings({}))();
const leases = new Leases(store.rows, systemClock, systemRandom);
const signal = new AbortController().signal;

await Promise.all(
  Array.from({ length: Number(counts) }, () => {
    const call = { signal, deadline: performance.now() + 60_000 };
    return leases.withLease(key, { leaseMs: 10_000, waitMs: 60_000, call }, async () => {
      const count = Number(readFileSync(file, 'utf8'));
      await sleep(5);
      writeFileSync(file, String(count + 1));
    });
  }),
);
await store.close();
