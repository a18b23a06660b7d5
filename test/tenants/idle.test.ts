import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { Settings } from '../../src/settings.ts';
import { readTenantFile, type TenantEntry } from '../../src/tenants/tenant-file.ts';
import { openTenants, type Tenants } from '../../src/tenants/tenants.ts';
import { entries, tenantFile } from '../support/tenants.ts';

const MINUTE = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Tenants that note when they are connected and let go. */
async function noted(): Promise<{ readonly tenants: Tenants; readonly open: Set<string>; readonly again: () => void }> {
  const file = tenantFile(entries({ acme: { CUSTOMERS_SANDBOX: true }, globex: { CUSTOMERS_SANDBOX: true } }));
  const environment = { CUSTOMERS_STORE: 'memory:' };
  const options = { path: file.path, environment, scopes: ['customers:read'], hasIssuer: false };
  const { tenants } = await openTenants(new Settings(environment), options, () => {});
  const open = new Set<string>();
  const watched = (entry: TenantEntry): TenantEntry => ({
    ...entry,
    settings: {
      ...entry.settings,
      source: {
        ...entry.settings.source,
        async connect(store, tenant) {
          const connection = await entry.settings.source.connect(store, tenant);
          open.add(entry.name);
          return {
            ...connection,
            async close() {
              open.delete(entry.name);
              await connection.close();
            },
          };
        },
      },
    },
  });
  const again = (): void =>
    tenants.replace(new Map([...readTenantFile(options)].map(([name, entry]) => [name, watched(entry)])));
  again();
  onTestFinished(async () => {
    await tenants.close();
    file.remove();
  });
  return { tenants, open, again };
}

it('a tenant is connected at its first call, stays while it is called, and is let go when it is idle', async () => {
  const { tenants, open } = await noted();
  expect([...open]).toEqual([]);
  await tenants.use('acme', async ({ provider }) => provider.name);
  await tenants.use('globex', async ({ provider }) => provider.name);
  expect([...open]).toEqual(['acme', 'globex']);
  for (let minute = 0; minute < 12; minute += 1) {
    await vi.advanceTimersByTimeAsync(MINUTE);
    await tenants.use('acme', async ({ provider }) => provider.name);
  }
  expect([...open]).toEqual(['acme']);
  await tenants.use('globex', async ({ provider }) => provider.name);
  expect([...open]).toEqual(['acme', 'globex']);
});

it('a tenant with a call in flight is neither let go nor replaced under it', async () => {
  const { tenants, open, again } = await noted();
  const call = Promise.withResolvers<string>();
  const running = tenants.use('acme', () => call.promise);
  await vi.advanceTimersByTimeAsync(30 * MINUTE);
  expect([...open]).toEqual(['acme']);
  tenants.replace(new Map());
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect([...open]).toEqual(['acme']);
  expect(await tenants.use('acme', async () => 'reached')).toBeUndefined();
  call.resolve('done');
  expect(await running).toBe('done');
  await vi.waitFor(() => expect([...open]).toEqual([]));
  again();
  expect(await tenants.use('acme', async () => 'reached')).toBe('reached');
});
