import { randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { startCall } from '../../src/http-client/call.ts';
import { resolveDue } from '../../src/identity/reconciler.ts';
import { Settings } from '../../src/settings.ts';
import { readTenantFile, type TenantEntry } from '../../src/tenants/tenant-file.ts';
import { openTenants, type Tenants } from '../../src/tenants/tenants.ts';
import { kindOf } from '../support/answers.ts';
import { connect, temporaryStore } from '../support/client.ts';
import { kits } from '../support/providers.ts';
import { entries, tenantFile } from '../support/tenants.ts';

interface Scene {
  readonly tenants: Tenants;
  /** How often each tenant was connected. */
  readonly connected: Map<string, number>;
  /** Leaves so many creates open, the oldest first. */
  leaveOpen(tenant: string, count: number): Promise<void>;
}

/** Tenants of a simulation; `connect` runs before each connection and can refuse it or make it wait. */
async function scene(names: readonly string[], connect: (name: string) => Promise<void>): Promise<Scene> {
  const file = tenantFile(entries(Object.fromEntries(names.map((name) => [name, { CUSTOMERS_SANDBOX: true }]))));
  const environment = { CUSTOMERS_STORE: 'memory:' };
  const options = { path: file.path, environment, scopes: ['customers:read'], hasIssuer: false };
  const { tenants, shared } = await openTenants(new Settings(environment), options, () => {});
  onTestFinished(async () => {
    await tenants.close();
    file.remove();
  });
  const connected = new Map<string, number>();
  const all = readTenantFile(options);
  const watched = ([name, entry]: [string, TenantEntry]): [string, TenantEntry] => {
    const { source } = entry.settings;
    const noted: typeof source = {
      ...source,
      async connect(store, tenant) {
        connected.set(name, (connected.get(name) ?? 0) + 1);
        await connect(name);
        return source.connect(store, tenant);
      },
    };
    return [name, { ...entry, settings: { ...entry.settings, source: noted } }];
  };
  const prefixes = new Map(
    [...all].map(([name, { title, settings }]) => [name, settings.source.prefixes({ name, title })[0]]),
  );
  tenants.replace(new Map([...all].map(watched)));
  return {
    tenants,
    connected,
    async leaveOpen(tenant, count) {
      for (let n = 0; n < count; n += 1) {
        const data = { salt: randomUUID(), externalId: `${tenant}-${n}`, fingerprint: {}, sentAt: 1 };
        const key = `${prefixes.get(tenant) ?? `v1/layer/${tenant}/`}${randomUUID()}`;
        const claim = await shared.ledger.claim(key, { leaseMs: 60_000, data, reopen: false });
        if (claim.kind !== 'acquired') throw new Error('not acquired');
        await shared.ledger.transition(claim.intent, { state: 'UNKNOWN', data, leaseMs: 0 });
      }
    },
  };
}

const call = () => startCall(new AbortController().signal, 5_000);

it('open creates of removed tenants do not take the turns of the others', async () => {
  const { tenants, leaveOpen, connected } = await scene(['acme'], async () => {});
  for (let n = 0; n < 10; n += 1) await leaveOpen(`removed-${n}`, 30);
  await leaveOpen('acme', 1);
  const resolved = await resolveDue(tenants.creates, call);
  expect([...connected.keys()]).toEqual(['acme']);
  expect(resolved).toHaveLength(1);
});

it.each(kits)('open creates of a server without tenants are those of its account at $title', async (kit) => {
  const { standIn, environment } = await kit.start();
  const { store, remove } = temporaryStore();
  const alone = await connect({ ...environment, CUSTOMERS_STORE: store });
  standIn.fault({ on: 'create', times: kit.upserts ? 2 : 1, act: { status: 500 } });
  const create = { ...kit.minimal('Noether Rings', 'emmy@noether.example'), [kit.externalIdField]: 'open-1' };
  expect(kindOf(await alone.call('create_customer', create))).toBe('outcome_unknown');
  await alone.close();

  const file = tenantFile(entries({ acme: { CUSTOMERS_PROVIDER: kit.name, ...environment } }));
  const server = { CUSTOMERS_STORE: store };
  const options = { path: file.path, environment: server, scopes: ['customers:read'], hasIssuer: false };
  const { tenants } = await openTenants(new Settings(server), options, () => {});
  onTestFinished(async () => {
    await tenants.close();
    await standIn.close();
    file.remove();
    remove();
  });
  const DAY_MS = 24 * 60 * 60_000;
  expect(await resolveDue(tenants.creates, call, { withinMs: DAY_MS })).toMatchObject([{ externalId: 'open-1' }]);
});

it('a tenant that hangs or cannot be connected does not delay the open creates of the others', async () => {
  const hanging = Promise.withResolvers<void>();
  const { tenants, leaveOpen, connected } = await scene(['slow', 'broken', 'acme'], async (name) => {
    if (name === 'slow') await hanging.promise;
    if (name === 'broken') throw new Error('broken');
  });
  await leaveOpen('slow', 60);
  await leaveOpen('broken', 60);
  await leaveOpen('acme', 1);
  const round = resolveDue(tenants.creates, call);
  await expect.poll(() => connected.get('acme')).toBe(1);
  // After a failure, the other open creates of that tenant wait for the next round.
  expect(connected.get('broken')).toBe(1);
  hanging.resolve();
  await round;
});

it('a tenant that failed comes after the others in the next round', async () => {
  const order: string[] = [];
  const { tenants, leaveOpen } = await scene(['broken', 'acme'], async (name) => {
    order.push(name);
    if (name === 'broken') throw new Error('broken');
  });
  await leaveOpen('broken', 3);
  const failed = new Set<string>();
  await resolveDue(tenants.creates, call, { failed });
  await leaveOpen('acme', 1);
  await resolveDue(tenants.creates, call, { failed });
  expect(order).toEqual(['broken', 'acme', 'broken']);
});
