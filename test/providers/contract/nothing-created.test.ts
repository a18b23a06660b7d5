import { describe, expect, it } from 'vitest';
import { errorOf } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import type { Act } from '../../support/stand-in.ts';
import { openScene } from './scene.ts';

/** Failures of a look-up that end a create at every provider. */
const FAILURES: readonly Act[] = [{ status: 401 }, { status: 429 }, { status: 500 }, { status: 503 }, 'reset'];

describe.each(kits)('a create at $title whose look-up fails', (kit) => {
  const scene = openScene(kit);
  const { fresh, call } = scene;
  const { externalIdField, probe } = kit;

  it.each(FAILURES.map((act) => ({ act })))('states once that nothing was created ($act)', async ({ act }) => {
    const { id, few } = fresh();
    scene.standIn.fault({ on: probe, times: Infinity, act });
    const keyed = errorOf(await call('create_customer', { ...few, [externalIdField]: id }));
    expect(String(keyed?.message).match(/Nothing was \w+\./g)).toHaveLength(1);
    expect(scene.standIn.count('create')).toBe(0);

    const unkeyed = errorOf(await call('create_customer', few));
    if (scene.standIn.count('create') === 0) expect(unkeyed?.message).toMatch(/Nothing was \w+\./);
  });

  it('states it in an import too', async () => {
    const { id, few } = fresh();
    scene.standIn.fault({ on: probe, times: Infinity, act: { status: 401 } });
    const { data } = await call('import_customers', { rows: [{ ...few, [externalIdField]: id }] });
    expect(JSON.stringify(data['rows'])).toContain('Nothing was created.');
    expect(scene.standIn.count('create')).toBe(0);
  });

  it('does not claim it of a create that may have run before', async () => {
    const { id, few } = fresh();
    const fields = { ...few, [externalIdField]: id };
    scene.standIn.fault({ on: 'create', times: Infinity, act: 'reset' });
    expect(errorOf(await call('create_customer', fields))?.kind).toBe('outcome_unknown');
    scene.standIn.fault({ on: probe, times: Infinity, act: { status: 503 } });
    const { kind, message } = errorOf(await call('create_customer', fields)) ?? {};
    expect(kind).toBe('unavailable');
    expect(message).toContain('This create was not sent; an earlier one may have run.');
    expect(message).not.toContain('Nothing was');
  });
});
