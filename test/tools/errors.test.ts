import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import { connect, errorOf, type Connection, type ToolResult } from '../support/client.ts';
import type { StandIn } from '../support/stand-in.ts';

const ada = { name: 'Ada Lovelace', email: 'ada@example.com' };
const MAX_BYTES = 32_768;

describe('an error with long lists', () => {
  let standIn: StandIn;
  let connection: Connection;

  beforeAll(async () => {
    const started = await startDayZero();
    standIn = started.standIn;
    connection = await connect({ ...started.environment, CUSTOMERS_STORE: 'memory:' });
  });
  beforeEach(() => standIn.reset());
  afterAll(async () => {
    await connection.close();
    await standIn.close();
  });

  function refusalIn(answer: ToolResult): Record<string, unknown> {
    const error = errorOf(answer);
    if (!error) throw new Error(answer.text);
    expect(JSON.stringify(error).length).toBeLessThan(MAX_BYTES);
    expect(answer.text).toContain(String(error['message']));
    return error;
  }

  it('lists 20 of the fields that the provider refuses, and the number of the others', async () => {
    const detail = Array.from({ length: 10_000 }, (_, n) => ({
      loc: ['body', `field${n}`],
      msg: 'is odd',
      type: 'odd',
    }));
    standIn.fault({ on: 'create', act: { status: 422, body: { detail } } });
    const { fields, message } = refusalIn(await connection.call('create_customer', ada));
    expect(fields).toHaveLength(20);
    expect(message).toContain('9980 more fields');
  });

  it('lists 20 of the possible customers, and the number of the others', async () => {
    for (let n = 0; n < 200; n += 1)
      await connection.call('create_customer', { ...ada, external_id: `own-${n}`, allow_duplicate: true });
    const { candidates, message } = refusalIn(await connection.call('create_customer', ada));
    expect(candidates).toHaveLength(20);
    expect(message).toContain('180 more candidates');
  });

  it('lists 20 of the unknown arguments, and states that nothing was sent', async () => {
    const odd = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${'x'.repeat(80)}${n}`, 1]));
    const { fields, message } = refusalIn(await connection.call('create_customer', { ...ada, ...odd }));
    expect(fields).toHaveLength(20);
    expect(message).toContain('480 more fields');
    expect(standIn.requests).toEqual([]);
  });

  it('of 20 entries or fewer lists them all, and mentions no others', async () => {
    const detail = Array.from({ length: 20 }, (_, n) => ({ loc: ['body', `field${n}`], msg: 'is odd', type: 'odd' }));
    standIn.fault({ on: 'create', act: { status: 422, body: { detail } } });
    const { fields, message } = refusalIn(await connection.call('create_customer', ada));
    expect(fields).toHaveLength(20);
    expect(message).not.toContain('more');
  });
});
