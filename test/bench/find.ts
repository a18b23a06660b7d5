// npm run find [-- --customers 5000,100000]. How long `find` takes among many customers, the first time and later, what an answer
// costs in tokens, and how much memory the list takes; each provider on loopback, without delay.
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { isRecord } from '../../src/text.ts';
import { idOf } from '../support/answers.ts';
import { connect } from '../support/client.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { aligned, percentile, shown } from './figures.ts';
import { usageOf } from './usage.ts';

const { values } = parseArgs({ options: { customers: { type: 'string', default: '5000' } } });
const sizes = values.customers.split(',').map(Number);
const LATER = 60;
const PATIENCE_MS = 10 * 60_000;

const FIRST_NAMES = 'Anna Bram Daan Emma Femke Hugo Jan Käthe Lotte Martin Noor Pieter Sophie Tessa Ute Wouter'.split(
  ' ',
);
const SURNAMES =
  'Bakker,de Boer,Bos,Dekker,van Dijk,Hofmann,Jansen,Kuipers,Meijer,Müller,Smit,Terpstra,van den Berg,Visser,Weiß'.split(
    ',',
  );
const TRADES =
  'Advies Bakkerij Bouw Drukkerij Garage Hoveniers Installatie Makelaardij Schilders Slagerij Techniek'.split(' ');
const FORMS = ['B.V.', 'GmbH', 'VOF', ''];

/** One of the list, always the same for a number. */
const one = (list: readonly string[], n: number): string => list[n % list.length] ?? '';

/** The `n`th name: of a person, or of a company. */
function nameOf(n: number): string {
  const surname = one(SURNAMES, n * 7);
  if (n % 3 === 0) return `${one(FIRST_NAMES, Math.floor(n / 3))} ${surname}`;
  return `${one(TRADES, n * 5)} ${surname} ${n} ${one(FORMS, n)}`.trim();
}

async function measure(kit: ProviderKit, size: number): Promise<readonly string[]> {
  const { standIn, environment } = await kit.start();
  const server = await connect(environment);
  try {
    const few = { ...kit.minimal('Template', 'a@b.example'), [kit.externalIdField]: 'K-0' };
    const template = await server.call('create_customer', few);
    const document = standIn.customers.get(idOf(template));
    for (let n = 1; n < size; n += 1) {
      const id = randomUUID();
      const own = { [kit.nameField.stored]: nameOf(n), email: `info@firm-${n}.example` };
      standIn.customers.set(id, { ...document, ...own, id });
    }
    const before = usageOf(server.pid);
    /** A list that takes longer than one call is read on by the next. */
    const find = async (text: string): Promise<{ ms: number; tokens: number }> => {
      const startedAt = performance.now();
      for (;;) {
        const { text: answer, data } = await server.call('search_customer', { find: text });
        if (data['complete'] === true) return { ms: performance.now() - startedAt, tokens: countTokens(answer) };
        if (performance.now() - startedAt > PATIENCE_MS) throw new Error(`incomplete: ${answer}`);
      }
    };
    const first = await find(nameOf(1));
    const later: { ms: number; tokens: number }[] = [];
    for (let n = 0; n < LATER; n += 1) later.push(await find(n % 2 === 0 ? nameOf(n * 31) : one(SURNAMES, n)));
    const page = await server.call('search_customer', {});
    const rows = Array.isArray(page.data['customers']) ? page.data['customers'].filter(isRecord) : [];
    const after = usageOf(server.pid);
    const ms = later.map((call) => call.ms);
    return [
      kit.title,
      shown(size, 0),
      shown(first.ms, 0),
      shown(percentile(ms, 0.5), 1),
      shown(percentile(ms, 0.99), 1),
      shown(later.reduce((sum, { tokens }) => sum + tokens, 0) / later.length, 0),
      shown(
        percentile(
          rows.map((row) => countTokens(JSON.stringify(row))),
          0.5,
        ),
        0,
      ),
      shown(after.rssMb - before.rssMb, 0),
    ];
  } finally {
    await server.close();
    await standIn.close();
  }
}

const table: (readonly string[])[] = [];
for (const size of sizes)
  for (const kit of kits) {
    process.stderr.write(`${kit.title}, ${shown(size, 0)} customers\n`);
    table.push(await measure(kit, size));
  }
const head = ['', 'customers', 'first', 'later p50', 'later p99', 'answer', 'row', 'memory'];
process.stdout.write(`\n${aligned([head, ['', '', 'ms', 'ms', 'ms', 'tokens', 'tokens', 'MB'], ...table])}\n`);
