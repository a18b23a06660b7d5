// The commands and entries of the documents, tried with the clients that they are for, as a reader would: with the path of the
// server, or with its address and token.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILT } from '../support/client.ts';
import { TOKEN } from '../support/http.ts';
import { parsed } from '../support/process.ts';
import { hosts, type Host, type Target } from './hosts.ts';
import { HERE, inPlace, NO_MODEL, output, programOf } from './rows.ts';

const PAGES = ['README.md', 'docs/http.md'];
const PLACE_OF_SERVER = '/path/to/customers-mcp/dist/main.js';
const ADDRESS = 'http://127.0.0.1:3000/mcp';

export interface Recipe {
  readonly title: string;
  /** What the client printed, if it has not connected. */
  readonly failure: string | undefined;
}

export async function tryRecipes(): Promise<Recipe[]> {
  const text = PAGES.map((page) => readFileSync(join(HERE, '../..', page), 'utf8')).join('\n');
  const commands = text.match(/^claude mcp add .*$/gm) ?? [];
  const blocks = [...text.matchAll(/^```json\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const entries = blocks.filter((block) => block.includes('"mcpServers"') && block.includes(PLACE_OF_SERVER));
  const tried: Recipe[] = [];
  for (const host of hosts) {
    if (host.folder === 'claude-code') for (const command of commands) tried.push(await tryCommand(command, host));
    // Both keep the entry as it stands in the documents; so does Claude Desktop.
    if (host.folder === 'claude-code' || host.folder === 'gemini-cli')
      for (const entry of entries) tried.push(await tryEntry(entry, host));
  }
  return tried;
}

async function tryCommand(command: string, host: Host): Promise<Recipe> {
  return inPlace('HTTP', async ({ home, target }) => {
    const line = command
      .replace(/^claude /, `'${programOf(host)}' `)
      .replace(`node ${PLACE_OF_SERVER}`, `'${process.execPath}' '${BUILT}'`)
      .replace(ADDRESS, target.url ?? '');
    await output('/bin/sh', ['-c', line], home, { CUSTOMERS_HTTP_TOKEN: TOKEN });
    return recipe(command, host, home);
  });
}

async function tryEntry(entry: string, host: Host): Promise<Recipe> {
  return inPlace('stdio', async ({ home }) => {
    const settings = entry.replace('"node"', JSON.stringify(process.execPath)).replace(PLACE_OF_SERVER, BUILT);
    const { mcpServers }: { readonly mcpServers: { readonly customers: NonNullable<Target['stdio']> } } =
      JSON.parse(settings);
    host.configure(home, { stdio: mcpServers.customers }, NO_MODEL);
    return recipe(`${host.name}: ${JSON.stringify(parsed(entry))}`, host, home);
  });
}

/** Whether the host connects with what it has been told. */
async function recipe(title: string, host: Host, home: string): Promise<Recipe> {
  const text = await output(programOf(host), host.list?.args ?? [], home, host.environment(NO_MODEL));
  return { title, failure: host.list?.connected.test(text) ? undefined : text };
}
