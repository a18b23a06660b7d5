import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { BUILT, connect } from './support/client.ts';
import { parsed } from './support/process.ts';
import { ofHttp, ofMachine, ofStdio } from './support/settings.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const VARIABLES = [...ofStdio, ...ofHttp, ...ofMachine].toSorted();

const Launch = z.strictObject({
  command: z.literal('npx'),
  args: z.tuple([z.literal('-y'), z.literal(packageJson.name)], z.string()),
  env: z.partialRecord(z.enum(VARIABLES), z.string()).default({}),
});

/** Everything that looks like an install link, so that none is missed because of its form. */
const links = [...new Set(README.match(/\b(https?|cursor|vscode|vscode-insiders):[^\s)"'<>`]*\binstall[^\s)"'<>`]*/g))];

describe('an install link of the README', () => {
  it('is there for Cursor and for VS Code', () => {
    expect(links.map(clientOf).toSorted()).toEqual(expect.arrayContaining(['Cursor', 'VS Code']));
  });

  it.each(links.map((link) => [link.split('?')[0], link]))(
    'launches the server in the sandbox: %s',
    async (_, link) => {
      const { name, config } = decode(link);
      expect(name).toMatch(/^[a-z-]+$/);
      const { args, env } = Launch.parse(config);
      const [, , ...more] = args;
      const server = await connect(
        { CUSTOMERS_STORE: 'memory:', ...env },
        { program: { command: process.execPath, args: [BUILT, ...more] } },
      );
      onTestFinished(() => server.close());
      expect((await server.call('search_customer')).data).toMatchObject({ customers: [], sandbox: true });
    },
  );
});

function clientOf(link: string): string {
  const { protocol, host, pathname } = new URL(link);
  if (protocol === 'cursor:' && host === 'anysphere.cursor-deeplink' && pathname === '/mcp/install') return 'Cursor';
  if (host === 'cursor.com' && pathname === '/en/install-mcp') return 'Cursor';
  if (host === 'insiders.vscode.dev' && pathname === '/redirect/mcp/install') return 'VS Code';
  throw new Error(`no known client handles ${link}`);
}

/** The name and the entry in a link: Cursor has it as base64, VS Code as plain JSON. */
function decode(link: string): { name: string; config: unknown } {
  const { searchParams } = new URL(link);
  const config = searchParams.get('config') ?? '';
  const text = clientOf(link) === 'Cursor' ? Buffer.from(config, 'base64').toString() : config;
  return { name: searchParams.get('name') ?? '', config: parsed(text) };
}
