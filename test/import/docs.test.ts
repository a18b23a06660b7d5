import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { command, SANDBOX } from '../support/process.ts';

const PAGE = readFileSync(new URL('../../docs/import.md', import.meta.url), 'utf8');
const picture = (name: string): string =>
  readFileSync(new URL(`../../docs/images/import-${name}.svg`, import.meta.url), 'utf8')
    .replace(/<[^>]*>/g, '')
    .replaceAll('&gt;', '>')
    .replaceAll('&lt;', '<')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');

test('the example of the page is read and imported as its pictures show', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'customers-mcp-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'customers.csv');
  const [, example = ''] = /```csv\n([\s\S]*?)```/.exec(PAGE) ?? [];
  await writeFile(file, example);
  const sandbox = { ...SANDBOX, CUSTOMERS_PROVIDER: 'notify' };
  const [, commands = ''] = /```\n(customers-mcp import[\s\S]*?)```/.exec(PAGE) ?? [];
  const outputs = [];
  for (const line of commands.trim().split('\n')) {
    const [, ...args] = line.replace('customers.csv', file).split(' ');
    outputs.push((await command(args, sandbox)).stdout);
  }
  const [preview = '', result = ''] = outputs;
  // Only the path of the file differs.
  const facts = preview.slice(0, preview.indexOf('Nothing was sent')).trim();
  for (const line of facts.split('\n')) expect(picture('preview')).toContain(line.trim().replace(/\s+/g, ' '));
  for (const line of result.slice(result.indexOf('5 rows'), result.indexOf('Results for every row')).trim().split('\n'))
    expect(picture('result')).toContain(line.trim().replace(/\s+/g, ' '));
});

test('the page names every option of the command', async () => {
  const { stdout } = await command(['--help'], SANDBOX);
  const [, options = ''] = /import FILE([\s\S]*?)\n {2}customers-mcp doctor/.exec(stdout) ?? [];
  const names = options.match(/--[a-z-]+/g) ?? [];
  expect(names.length).toBeGreaterThan(5);
  expect(names.filter((name) => !PAGE.includes(name))).toEqual([]);
});
