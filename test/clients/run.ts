// Real clients against the built server, in the versions of their lock files. Not part of `npm test`, because they are large.
// Writes the tables of docs/clients.md, and exits with 1 if something fails that works according to the committed page.
import { join } from 'node:path';
import { styleText } from 'node:util';
import { installLocked } from '../support/install.ts';
import { hosts } from './hosts.ts';
import { lost, reasons, writeRefusals, writeRows } from './page.ts';
import { tryRecipes } from './recipes.ts';
import {
  bridge,
  bridgeRow,
  HERE,
  hostRefusal,
  hostRow,
  libraries,
  libraryRefusal,
  libraryRow,
  TRANSPORTS,
  type Row,
} from './rows.ts';

const WRONG = { Authorization: 'Bearer wrong' };

function say(color: 'green' | 'yellow' | 'red', mark: string, text: string): void {
  process.stdout.write(`${styleText(color, mark.padEnd(3))} ${text}\n`);
}

/** Does the work and prints how long it took. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = Date.now();
  const result = await work();
  process.stdout.write(`    ${what} in ${((Date.now() - start) / 1000).toFixed(0)} s\n`);
  return result;
}

await timed('installed', async () => {
  const folders = new Set([...libraries, bridge, ...hosts].map(({ folder }) => folder));
  folders.delete('sdk1');
  for (const folder of folders) await installLocked(join(HERE, folder));
});

const rows = await timed('ran', async () => {
  const found: Row[] = [];
  const add = async (row: Promise<Row>): Promise<void> => {
    const { name, version, transport } = await row;
    const failures = reasons(await row);
    if (failures.length === 0) say('green', 'ok', `${name} ${version}, ${transport}`);
    for (const failure of failures) say('yellow', 'no', failure);
    found.push(await row);
  };
  for (const library of libraries) for (const transport of TRANSPORTS) await add(libraryRow(library, transport));
  await add(bridgeRow());
  for (const host of hosts) for (const transport of TRANSPORTS) await add(hostRow(host, transport));
  return found;
});

const refusals = await timed('tried without the right token', async () => {
  const found: string[][] = [];
  for (const library of libraries)
    found.push([library.name, await libraryRefusal(library), await libraryRefusal(library, WRONG)]);
  for (const host of hosts.filter(({ list }) => list))
    found.push([host.name, await hostRefusal(host), await hostRefusal(host, WRONG)]);
  return found;
});

const recipes = await timed('tried the recipes of the documents', tryRecipes);
for (const { title } of recipes.filter(({ failure }) => failure === undefined)) say('green', 'ok', title);

const broken = [
  ...lost(rows),
  ...recipes.flatMap(({ title, failure }) => (failure === undefined ? [] : [`${title}: ${failure}`])),
];
writeRows(rows);
writeRefusals(refusals);
for (const line of broken) say('red', 'BAD', line);
process.exitCode = broken.length === 0 ? 0 : 1;
