import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { kits } from '../support/providers.ts';
import { readSnapshot, UPDATE, writeSnapshot } from '../support/snapshots.ts';
import { fieldsOf, inspect, plan, proposed } from './plan.ts';

const folder = (half: string): string => fileURLToPath(new URL(`exports/${half}/`, import.meta.url));

/** Exports without any email address, where the provider requires one: no importer can do anything about that. */
const WITHOUT_EMAIL = new Set([
  'hubspot-companies.csv',
  'pipedrive-organizations.csv',
  'salesforce-accounts-report.csv',
  'zoho-crm-accounts.csv',
]);

const files = ['built-on', 'held-out'].flatMap((half) => readdirSync(folder(half)).map((file) => ({ half, file })));

/** `exports.json` of a provider has the columns of each field, by file. A person has judged them to be right. */
describe.each(kits)('exports of other systems for $title', ({ name }) => {
  const expected = readSnapshot(name, 'exports.json');
  const mapped: Record<string, unknown> = {};
  afterAll(() => writeSnapshot(name, 'exports.json', mapped));

  test.each(files)('$half/$file', async ({ half, file }) => {
    const first = await plan(folder(half) + file, name);
    // What is proposed must be enough: one more run.
    const last = first.questions.length === 0 ? first : await plan(folder(half) + file, name, proposed(first));
    mapped[file] = fieldsOf(last);
    if (!UPDATE) expect(mapped[file]).toEqual(expected[file]);
    if (WITHOUT_EMAIL.has(file) && last.questions.length > 0) {
      expect(last.questions).toMatchObject([{ text: expect.stringContaining('email') }]);
      return;
    }
    expect(last.questions).toEqual([]);
    const { total, sendable } = await inspect(last);
    expect(sendable).toBeGreaterThanOrEqual(total - 1);
  });
});
