import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Connection } from '../../support/client.ts';
import type { Fields } from '../../support/provider-kit.ts';
import type { StandIn } from '../../support/stand-in.ts';
import { grete, made, openScene } from './fixture.ts';

describe.each([
  { envelope: 'data', answerField: 'memo', putReplaces: true },
  { envelope: 'bare', answerField: 'notes', putReplaces: true },
  { envelope: 'alternate', answerField: 'notes', putReplaces: false },
] as const)('Layer with the envelope $envelope and the notes in $answerField', (variant) => {
  let standIn: StandIn;
  let server: Connection;
  beforeAll(async () => ({ standIn, server } = await openScene({ tokenUses: Infinity, ...variant })));
  beforeEach(() => standIn.reset());

  it('is read right in every call', async () => {
    const { id } = await made(server, grete(1));
    const calls: [string, Fields, Fields][] = [
      ['create_customer', grete(1), { outcome: 'existing' }],
      ['get_customer', { customer_id: id }, {}],
      ['get_customer', { customer_id: id }, {}],
      ['update_customer', { customer_id: id, email: 'new@hermann.example' }, { outcome: 'updated' }],
      ['update_customer', { customer_id: id, email: 'newer@hermann.example' }, { outcome: 'updated' }],
      ['archive_customer', { customer_id: id }, { outcome: 'archived' }],
      ['restore_customer', { customer_id: id }, { outcome: 'restored' }],
    ];
    for (const [tool, args, wanted] of calls) {
      const { data } = await server.call(tool, { ...args });
      expect(data, tool).toMatchObject({ ...wanted, customer_id: id, customer: standIn.customers.get(id) });
      expect(data, tool).not.toHaveProperty('warnings');
    }
  });

  it('keeps notes and tags through an update of something else', async () => {
    const { id } = await made(server, grete(1));
    await server.call('update_customer', { customer_id: id, company_name: 'Hermann Optics AG' });
    expect(standIn.customers.get(id)).toMatchObject({
      company_name: 'Hermann Optics AG',
      external_id: 'own-1',
      individual_name: 'Grete Hermann',
      [variant.answerField]: 'Prefers mornings',
      transaction_tags: [expect.objectContaining({ key: 'department', value: 'sales' })],
    });
  });

  it('changes and clears notes and tags', async () => {
    const { id } = await made(server, grete(1));
    const tags = [{ key: 'region', value: 'south' }];
    const changed = await server.call('update_customer', { customer_id: id, notes: 'Prefers evenings', tags });
    expect(changed.data).toMatchObject({
      changed: {
        notes: { from: 'Prefers mornings', to: 'Prefers evenings' },
        tags: { from: grete(1).tags, to: tags },
      },
    });
    expect(standIn.customers.get(id)).toMatchObject({
      [variant.answerField]: 'Prefers evenings',
      transaction_tags: [expect.objectContaining({ key: 'region', value: 'south' })],
    });
    const cleared = await server.call('update_customer', { external_id: 'own-1', clear: ['notes', 'tags'] });
    expect(cleared.data).toMatchObject({
      outcome: 'updated',
      changed: { notes: { from: 'Prefers evenings', to: null }, tags: { from: tags, to: null } },
    });
    expect(cleared.data).not.toHaveProperty('warnings');
    expect(standIn.customers.get(id)).toMatchObject({
      [variant.answerField]: null,
      transaction_tags: [],
      email: 'grete@hermann.example',
    });
  });

  it('reports that existing notes do not change', async () => {
    const { id } = await made(server, grete(1));
    const { data } = await server.call('update_customer', { customer_id: id, notes: 'Prefers mornings' });
    expect(data).toMatchObject({ outcome: 'unchanged', changed: {} });
    expect(standIn.count('update')).toBe(0);
  });
});
