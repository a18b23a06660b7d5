import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { idOf } from '../../support/answers.ts';
import { connect, type Connection, type ToolResult } from '../../support/client.ts';
import type { Fields } from '../../support/provider-kit.ts';
import { kits } from '../../support/providers.ts';
import { openScene, refusalIn, rowsOf, seed } from './scene.ts';

const MANY = 600;

describe.each(kits)('find at $title', (kit) => {
  const scene = openScene(kit);
  let servers: Connection[] = [];

  /** What a server has read it knows for a minute, so each test has its own. */
  beforeEach(async () => {
    const settings = { ...scene.environment, CUSTOMERS_CONFIRM: 'never' };
    servers = await Promise.all([connect(settings), connect({ ...settings, CUSTOMERS_TIMEOUT_MS: '1000' })]);
  });
  afterEach(async () => {
    await Promise.all(servers.map((server) => server.close()));
  });

  const call = (tool: string, args: Fields, { patient = true } = {}): Promise<ToolResult> =>
    scene.call(tool, args, patient ? servers[0] : servers[1]);

  async function find(text: string, more: Fields = {}): Promise<ToolResult> {
    const answer = await call('search_customer', { find: text, ...more });
    expect(answer.isError, answer.text).toBe(false);
    return answer;
  }

  /** The names of what is found, each with its score. */
  async function found(text: string, more: Fields = {}): Promise<{ name: unknown; score: number }[]> {
    return rowsOf((await find(text, more)).data).map(({ customer, score }) => ({
      name: Object(customer)[kit.nameField.stored],
      score: Number(score),
    }));
  }

  const names = async (text: string): Promise<unknown[]> => (await found(text)).map(({ name }) => name);

  async function createNamed(name: string, email: string, more: Fields = {}, externalId?: string): Promise<string> {
    const own = externalId === undefined ? {} : { [kit.externalIdField]: externalId };
    return idOf(await call('create_customer', { ...kit.minimal(name, email), ...more, ...own }));
  }

  it.each([
    ['bakkerij jansen bv', 'the same without case and legal form'],
    ['Jansen, Bakkerij', 'another sequence of words'],
    ['Bakkerij  Jánsen', 'accents'],
    ['bakkerijjansen', 'words written together'],
  ])('scores %s as 1 (%s)', async (text) => {
    await createNamed('Bakkerij Jansen B.V.', 'info@jansen.example');
    await createNamed('Slagerij Pietersen', 'info@pietersen.example');
    expect(await found(text)).toEqual([{ name: 'Bakkerij Jansen B.V.', score: 1 }]);
  });

  it.each([
    ['Muller', 'Müller GmbH'],
    ['Mueller', 'Müller GmbH'],
    ['MÜLLER gmbh', 'Mueller GmbH'],
    ['Weiss', 'Weiß AG'],
    ['Vandenberg', 'Van den Berg B.V.'],
    ['van den berg', 'Vandenberg'],
  ])('takes %s for %s', async (text, name) => {
    await createNamed(name, 'info@one.example');
    await createNamed('Slagerij Pietersen', 'info@pietersen.example');
    expect(await found(text)).toEqual([{ name, score: 1 }]);
  });

  it.each(['Bakerij Jansen', 'Bakkerij Janssen', 'Bakkerij Jasnen', 'B. Jansen', 'Bakk Jansen'])(
    'finds %s as similar, not as exact',
    async (text) => {
      await createNamed('Bakkerij Jansen', 'info@jansen.example');
      await createNamed('Slagerij Pietersen', 'info@pietersen.example');
      const [first, ...others] = await found(text);
      expect(first).toMatchObject({ name: 'Bakkerij Jansen' });
      expect(first?.score).toBeGreaterThanOrEqual(0.5);
      expect(first?.score).toBeLessThan(0.8);
      expect(others).toEqual([]);
    },
  );

  it.each([
    ['v.d. Valk', 'Van der Valk Hotel'],
    ['vd Valk', 'Van der Valk Hotel'],
    ['van der Valk', 'Hotel v.d. Valk'],
    ['山田製作所', '株式会社山田製作所'],
    ['株式会社山田製作所', '山田製作所'],
    ['山田', '株式会社山田製作所'],
    ['华为', '上海华为科技有限公司'],
  ])('finds %s in %s as similar', async (text, name) => {
    await createNamed(name, 'info@one.example');
    await createNamed('Valkenburg 株式会社', 'info@two.example');
    const [first] = await found(text);
    expect(first).toMatchObject({ name });
    expect(first?.score).toBeGreaterThanOrEqual(0.5);
    expect(first?.score).toBeLessThan(0.8);
  });

  it.each([
    ['Jansen <info@bakker.example>', 1],
    ['mailto:info@bakker.example', 1],
    ['<info@bakker.example>', 1],
    ['tel. 0031 (0)30-1234567', 1],
    ['tel. 030-1234567', 0.95],
    ['Jan, +31 30 123 45 67', 1],
    ['Bakkerij Jansen in Utrecht', 0.8],
  ])('finds the email, phone or city in "%s"', async (text, score) => {
    const more = kit.findable('+31 30 123 45 67', 'Utrecht');
    await createNamed('Bakkerij Jansen', 'info@bakker.example', more);
    await createNamed('Slagerij Smit', 'info@smit.example', kit.findable('020 765 43 21', 'Amsterdam'));
    const { data } = await find(text);
    expect(rowsOf(data)).toMatchObject([{ score }]);
    expect(data.warnings).toBeUndefined();
  });

  it.each([
    ['Bakkerij Jansen', 'Αρτοποιείο Γιάνσεν', 'jansen.bakkerij@one.example'],
    ['Müller', 'Мюллер и сыновья', 'mueller@two.example'],
    ['Papadopoulos', 'Παπαδόπουλος Α.Ε.', 'papadopoulos_kostas@three.example'],
  ])('finds %s in the email of %s as similar', async (text, name, email) => {
    await createNamed(name, email);
    await createNamed('Slagerij Smit', 'info@smit.example');
    const { data } = await find(text);
    expect(rowsOf(data)).toHaveLength(1);
    const [row] = rowsOf(data);
    expect(row?.score).toBeGreaterThanOrEqual(0.5);
    expect(row?.score).toBeLessThan(0.8);
    expect(JSON.stringify(row)).toContain(email);
  });

  it('shows whose name it is before whose email it is', async () => {
    await createNamed('Verf en Zo', 'jansen@verf.example');
    await createNamed('Jansen', 'post@jansen.example');
    expect(await found('Jansen')).toMatchObject([{ name: 'Jansen', score: 1 }, { name: 'Verf en Zo' }]);
  });

  it('takes a blank text as not given', async () => {
    await createNamed('Bakkerij Jansen', 'info@jansen.example');
    expect(await names('  ')).toEqual(['Bakkerij Jansen']);
  });

  it('shows exact ones before similar ones', async () => {
    await createNamed('Jansen', 'info@one.example');
    await createNamed('Bakkerij Jansen', 'info@two.example');
    await createNamed('Janssen', 'info@three.example');
    expect(await names('Jansen')).toEqual(['Jansen', 'Bakkerij Jansen', 'Janssen']);
  });

  it('warns that a customer which only shares a word is no match', async () => {
    await createNamed('Bakkerij Pietersen', 'info@pietersen.example');
    await createNamed('Slagerij Smit', 'info@smit.example');
    const { data } = await find('Bakkerij Jansen');
    expect(rowsOf(data)).toHaveLength(1);
    expect(rowsOf(data)[0]?.score).toBeLessThan(0.5);
    expect(data.warnings).toEqual([expect.stringMatching(/no .* customer matches "Bakkerij Jansen"/i)]);
    await createNamed('Bakkerij Jansen', 'info@jansen.example');
    expect(await names('Bakkerij Jansen')).toEqual(['Bakkerij Jansen']);
  });

  it('answers with nothing where nothing is like it', async () => {
    await createNamed('Bakkerij Pietersen', 'info@pietersen.example');
    const { data } = await find('Zwanenburg');
    expect(data).toEqual({ customers: [], has_more: false, total: 0, complete: true });
  });

  it('finds by email in any case, by phone in any notation, by city and by initials', async () => {
    const more = kit.findable('+31 30 123 45 67', 'Utrecht');
    await createNamed('Koninklijke Luchtvaart Maatschappij', 'Info@KLM-Cargo.example', more);
    await createNamed('Slagerij Smit', 'info@smit.example', kit.findable('020 765 43 21', 'Amsterdam'));
    const exact = [{ name: 'Koninklijke Luchtvaart Maatschappij', score: expect.closeTo(0.9, 0) }];
    for (const text of ['info@klm-cargo.example', 'klm-cargo.example', '030-1234567', '+31301234567', 'utrecht'])
      expect(await found(text), text).toEqual(exact);
    expect(await names('KLM')).toEqual(['Koninklijke Luchtvaart Maatschappij']);
    const [row] = rowsOf((await find('030 1234567')).data);
    expect(row?.score).toBe(0.95);
    expect(row?.matched).toEqual([Object.keys(more)[0]]);
    expect(JSON.stringify(row?.customer)).toContain('+31 30 123 45 67');
  });

  it('finds a code in any case', async () => {
    await createNamed('Coded', 'info@coded.example', {}, 'CRM-12');
    expect(await found('crm-12')).toEqual([{ name: 'Coded', score: 0.95 }]);
  });

  it('shows codes that differ in zeros only beside each other', async () => {
    await createNamed('With', 'info@with.example', {}, '00123');
    expect(await found('123')).toEqual([{ name: 'With', score: expect.closeTo(0.7, 0) }]);
    await createNamed('Without', 'info@without.example', {}, '123');
    expect(await names('123')).toEqual(['Without', 'With']);
    expect(await names('00123')).toEqual(['With', 'Without']);
  });

  it('shows the best five with the number of all, and as many as asked for', async () => {
    for (let n = 1; n <= 8; n += 1) await createNamed(`Filiaal ${n}`, `filiaal-${n}@keten.example`);
    expect((await find('Filiaal')).data).toMatchObject({
      total: 8,
      has_more: true,
      complete: true,
      warnings: [`5 of 8 are shown; pass ${kit.limitField} to see more.`],
    });
    expect(await found('Filiaal')).toHaveLength(5);
    const { data } = await find('Filiaal', { [kit.limitField]: 8 });
    expect(rowsOf(data)).toHaveLength(8);
    expect(data).not.toHaveProperty('warnings');
    expect(data.has_more).toBe(false);
  });

  it('lists the customers without a field', async () => {
    const { field } = kit.clear;
    const full = kit.customer(1);
    await call('create_customer', full);
    await createNamed('Lacking', 'info@lacking.example');
    const { data } = await call('search_customer', { without: field });
    expect(data).toMatchObject({ total: 1, has_more: false, complete: true });
    expect(rowsOf(data)[0]?.customer).toMatchObject({ [kit.nameField.stored]: 'Lacking' });
    expect((await find('Lacking', { without: field })).data).toMatchObject({ total: 1 });
    expect((await find(String(full[kit.nameField.field]), { without: field })).data).toMatchObject({ total: 0 });
  });

  it('refuses fields that do not exist, and filters of the provider beside it', async () => {
    const { field } = kit.clear;
    const wrong = refusalIn(await call('search_customer', { without: `${field}s` }), 'invalid_input');
    expect(wrong.message).toContain(`did you mean \`${field}\`? Nothing was sent.`);
    const [other, value] = Object.entries(kit.searchFor('x'))[0] ?? expect.unreachable();
    const both = refusalIn(
      await call('search_customer', { find: 'x', [other]: value, [kit.cursorField]: 'y' }),
      'invalid_input',
    );
    expect(both.fields.map(({ path }) => path)).toEqual([other, kit.cursorField]);
  });

  it('knows at once what was written through it', async () => {
    const id = await createNamed('Bakkerij Jansen', 'info@jansen.example');
    expect(await names('Jansen')).toEqual(['Bakkerij Jansen']);
    const second = await createNamed('Jansen Transport', 'info@transport.example');
    expect(await names('Jansen Transport')).toEqual(['Jansen Transport']);
    await call('update_customer', { customer_id: id, [kit.nameField.field]: 'Bakkerij De Vries' });
    expect(await names('de Vries')).toEqual(['Bakkerij De Vries']);
    expect(await names('Bakkerij Jansen')).not.toContain('Bakkerij Jansen');
    await call('archive_customer', { customer_id: second });
    expect(await names('Jansen Transport')).not.toContain('Jansen Transport');
  });

  it('reads the list once for callers that come together, and not again soon', async () => {
    await seed(scene, kit, MANY);
    scene.forgetRequests();
    await Promise.all(['Handelshuis 17', 'Handelshuis 18', 'huis-19.example'].map((text) => find(text)));
    await find('Handelshuis 20');
    expect((await find('Handelshuis')).data).toMatchObject({ total: MANY, complete: true });
    // Besides the pages of the list, a call asks for customers with the text, and from time to time for the newest ones.
    const pages = scene.standIn.requests
      .filter(({ operation, query }) => operation === 'list' && !/huis|limit=50\b/i.test(String(query)))
      .map(({ query }) => String(query));
    expect(pages.length).toBeGreaterThan(0);
    expect(pages).toEqual([...new Set(pages)]);
  });

  it('warns if one call was too short to read all customers, and continues in the next call', async () => {
    await seed(scene, kit, 4 * MANY);
    scene.standIn.fault({ on: 'list', times: Infinity, act: { delayMs: 150 } });
    const first = await call('search_customer', { find: 'Handelshuis 3' }, { patient: false });
    expect(first.isError, first.text).toBe(false);
    expect(first.data.complete).toBe(false);
    expect(first.data.warnings).toEqual([expect.stringMatching(/not all/i)]);
    let answer = first;
    for (let calls = 0; calls < 30 && answer.data.complete === false; calls += 1)
      answer = await call('search_customer', { find: 'Handelshuis 3' }, { patient: false });
    expect(answer.data).toMatchObject({ complete: true });
  }, 20_000);

  it('does not deny a customer that it did not reach, and goes on with each call', async () => {
    await createNamed('Zwanenburg', 'info@zwanenburg.example');
    await seed(scene, kit, 4 * MANY);
    scene.standIn.fault({ on: 'list', times: Infinity, act: { delayMs: 200 } });
    for (let calls = 0, complete = false; calls < 30 && !complete; calls += 1) {
      scene.forgetRequests();
      const { data } = await call('search_customer', { find: '17 Zwanepoel' }, { patient: false });
      complete = data.complete === true;
      expect(complete || !JSON.stringify(data.warnings).includes('customer matches')).toBe(true);
      expect(scene.standIn.requests.filter(({ operation }) => operation === 'list').length).toBeGreaterThan(0);
    }
  }, 30_000);

  it.runIf(kit.keepsExternalId)(
    'finds an exact code although one call is too short to read all customers',
    async () => {
      await createNamed('Zwanenburg', 'info@zwanenburg.example', {}, 'ZW-1');
      await seed(scene, kit, 4 * MANY);
      scene.standIn.fault({ on: 'list', times: Infinity, act: { delayMs: 300 } });
      const { data } = await call('search_customer', { find: 'ZW-1' }, { patient: false });
      expect(rowsOf(data)[0]).toMatchObject({ external_id: 'ZW-1', score: 1 });
    },
  );

  it('states the total number of a plain search, or that it could not be counted', async () => {
    await seed(scene, kit, 4 * MANY);
    scene.standIn.fault({ on: 'list', times: Infinity, act: { delayMs: 150 } });
    const { data } = await call('search_customer', { [kit.limitField]: 1 }, { patient: false });
    expect(data.total ?? data.warnings).toEqual(
      data.total === undefined ? [expect.stringContaining('could be counted')] : 4 * MANY + 1,
    );
  });

  it('quotes the provider if it refuses to list', async () => {
    scene.standIn.fault({ on: 'list', times: Infinity, act: { status: 403 } });
    refusalIn(await call('search_customer', { find: 'Jansen' }), 'forbidden');
  });
});
