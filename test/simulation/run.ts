// A longer run on demand: npm run simulate -- --seeds 20000 [--from 1]. Every seed runs with every scenario and kind.
import { parseArgs } from 'node:util';
import { survey, surveySimilar, surveyUpdates } from './survey.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '2000' }, from: { type: 'string', default: '1' } },
});
const seeds = { from: Number(values.from), count: Number(values.seeds) };
const interactive = process.stderr.isTTY;
const { table, failed } = await survey(seeds, (share) => {
  if (interactive) process.stderr.write(`\r${Math.floor(share * 100)} %`);
});
if (interactive) process.stderr.write('\r');
process.stdout.write(`${table}\n\n`);
const updates = await surveyUpdates(seeds);
process.stdout.write(`${updates.table}\n\n`);
const similar = await surveySimilar(seeds);
process.stdout.write(`${similar.table}\n`);
process.exitCode = failed.length + updates.broken.length + similar.broken.length > 0 ? 1 : 0;
