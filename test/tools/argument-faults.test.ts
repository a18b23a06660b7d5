import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, errorOf, type Connection } from '../support/client.ts';
import { SANDBOX } from '../support/process.ts';

/** Calls of a server at Notify and one at Layer, whose documents have the arguments that people get wrong most. */
describe('faults of an input', () => {
  const servers: Connection[] = [];
  beforeAll(async () => {
    for (const CUSTOMERS_PROVIDER of ['notify', 'layer'])
      servers.push(await connect({ ...SANDBOX, CUSTOMERS_PROVIDER }));
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
  });

  async function messageOf(provider: 'notify' | 'layer', tool: string, args: Record<string, unknown>): Promise<string> {
    const answer = await (servers[provider === 'notify' ? 0 : 1] ?? expect.unreachable()).call(tool, args);
    expect(errorOf(answer), answer.text).toMatchObject({ kind: 'invalid_input' });
    return String(errorOf(answer)?.['message']);
  }

  it('are reported together, each with the value to use', async () => {
    const message = await messageOf('notify', 'create_customer', {
      Name: 5,
      Country: 'Germany',
      Language: 'nl',
      Email: 'nonsense',
      Overwrite: 'true',
      external_id: 'crm-1',
    });
    for (const part of [
      'Name: must be a string; send "5"',
      'Country: must be a two-letter code; for Germany that is DE',
      'Language: must be one of dutch, english, german, french; for nl that is dutch',
      'Email: is not an email address',
      'Overwrite: must be true or false, without quotes; send true',
      'unknown argument `external_id`; did you mean `CustomerCode`?',
    ])
      expect.soft(message).toContain(part);
    expect(message).not.toMatch(/expected|received|invalid input|too big/i);
  });

  it.each([
    [{ Country: 'Duitsland' }, 'for Duitsland that is DE'],
    [{ Country: 'Holland' }, 'for Holland that is NL'],
    [{ Country: 'DEU' }, 'for DEU that is DE'],
    [{ Country: 'Alemania' }, 'for Alemania that is DE'],
    [{ Language: 'Deutsch' }, 'for Deutsch that is german'],
    [{ Language: 'DUTCH' }, 'for DUTCH that is dutch'],
    [{ RegistrationNumber: '12345678901' }, 'must have at most 10 characters; this has 11'],
  ])('%j: %s', async (given, part) => {
    expect(await messageOf('notify', 'create_customer', { Name: 'Acme', ...given })).toContain(part);
  });

  it('say how to clear what was passed empty', async () => {
    const { data } = await (servers[0] ?? expect.unreachable()).call('create_customer', { Name: 'Acme', Phone: '1' });
    const ref = { customer_id: data['customer_id'] };
    for (const Phone of ['', null])
      expect(await messageOf('notify', 'update_customer', { ...ref, Phone })).toContain(
        'nothing to change: null and "" count as not given; to clear, pass clear: ["Phone"]',
      );
    expect(await messageOf('notify', 'update_customer', ref)).toContain('pass at least one field, or name it in clear');
  });

  it.each(['external_id', 'name', 'query', 'Email', 'phone'])('name find for %s in a search', async (name) => {
    const message = await messageOf('notify', 'search_customer', { [name]: 'Jansen' });
    expect(message).toContain(`unknown argument \`${name}\`; did you mean \`find\`?`);
  });

  it('name two fields for without where two are equally near', async () => {
    const message = await messageOf('layer', 'search_customer', { without: 'phone' });
    expect(message).toContain('did you mean `mobile_phone` or `office_phone`?');
  });

  it('name two arguments where two are equally near', async () => {
    const message = await messageOf('layer', 'create_customer', { company_name: 'Acme', phone: '1' });
    expect(message).toContain('did you mean `mobile_phone` or `office_phone`?');
    expect(await messageOf('layer', 'search_customer', { limit: '10' })).toContain('send 10');
  });

  it('are a warning where the provider states no format', async () => {
    const answer = await servers[1]?.call('create_customer', { company_name: 'Acme', email: 'nonsense' });
    expect(answer?.data).toMatchObject({ outcome: 'created' });
    expect(answer?.data['warnings']).toContainEqual(expect.stringContaining('email is not an email address'));
  });

  it('do not include a name in place of a code, but the message names the search for names', async () => {
    await servers[0]?.call('create_customer', { Name: 'Bakkerij Jansen', CustomerCode: 'K-1' });
    const miss = await servers[0]?.call('search_customer', { Customer: 'Bakkerij Jansen' });
    expect(miss?.data).toMatchObject({ customers: [], total: 0 });
    expect(miss?.text).toMatch(/names were not searched.*find/);
    await servers[1]?.call('create_customer', { company_name: 'Bakkerij Müller' });
    const part = await servers[1]?.call('search_customer', { name_contains: 'Muller' });
    expect(part?.data).toMatchObject({ customers: [], total: 0 });
    expect(part?.text).toMatch(/`name_contains` compares names as Layer does, not in any spelling. Use find/);
  });
});
