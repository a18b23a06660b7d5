// Prints the coverage of src/, in the servers that the tests launch and in the tests themselves: npm run coverage [-- TEST…].
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CoverageReport } from 'monocart-coverage-reports';
import { build } from 'rolldown';
import { program } from './rolldown.config.ts';

const SRC = new URL('../src/', import.meta.url);
const DIST = new URL('../dist/', import.meta.url);
const shipped = program(fileURLToPath(DIST));
const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-coverage-'));
const [raw, maps] = [join(folder, 'raw'), join(folder, 'maps')];

/**
 * Builds the program with one statement per line. The source maps stay in separate files, because Node would copy them into
 * every report.
 */
async function buildReadable(): Promise<void> {
  await build({ ...shipped, output: { ...shipped.output, minify: false, sourcemap: 'hidden' } });
  for (const file of readdirSync(DIST).filter((name) => name.endsWith('.map')))
    renameSync(new URL(file, DIST), join(maps, file));
}

function mapOf(url: string): string {
  return join(maps, `${basename(url)}.map`);
}

async function report(): Promise<void> {
  const coverage = new CoverageReport({
    outputDir: join(folder, 'report'),
    reports: ['lcovonly'],
    logging: 'error',
    // A chunk that only re-exports another one has no map.
    entryFilter: ({ url }) => url.startsWith(SRC.href) || (url.startsWith(DIST.href) && existsSync(mapOf(url))),
    onEntry: async (entry) => {
      // A test runs a file of src/ as Node does: with spaces in place of the types.
      if (entry.url.startsWith(SRC.href)) entry.source = stripTypeScriptTypes(readFileSync(new URL(entry.url), 'utf8'));
      else entry.sourceMap = JSON.parse(readFileSync(mapOf(entry.url), 'utf8'));
    },
    // Two records of one file need two names.
    sourcePath: (path, { distFile }) => (distFile ? path : `tests/${path}`),
    sourceFilter: (path) => /(^|\/)src\/.*\.ts$/.test(path),
  });
  await coverage.addFromDir(raw);
  await coverage.generate();
  printLines(readFileSync(join(folder, 'report', 'lcov.info'), 'utf8'));
}

/** Prints for each file the lines that ran nowhere. A file has two records if both a server and a test ran it. */
function printLines(lcov: string): void {
  const files = new Map<string, Map<number, number>>();
  for (const record of lcov.split('end_of_record')) {
    const [, file] = /^SF:.*?\b(src\/.*)$/m.exec(record) ?? [];
    if (file === undefined) continue;
    const lines = files.get(file) ?? new Map<number, number>();
    for (const [, line, hits] of record.matchAll(/^DA:(\d+),(\d+)$/gm))
      lines.set(Number(line), Number(hits) + (lines.get(Number(line)) ?? 0));
    files.set(file, lines);
  }
  let [covered, total] = [0, 0];
  for (const [file, lines] of [...files].toSorted()) {
    const missed = [...lines].filter(([, hits]) => hits === 0).map(([line]) => line);
    covered += lines.size - missed.length;
    total += lines.size;
    if (missed.length > 0) console.log(`${file}: ${missed.toSorted((a, b) => a - b).join(', ')}`);
  }
  console.log(
    `\n${((100 * covered) / total).toFixed(2)} % of the lines (${covered} of ${total}) ran; the others are above.`,
  );
}

try {
  for (const part of [raw, maps]) mkdirSync(part);
  await buildReadable();
  // Node passes the variable on to every process that the tests start, regardless of the environment they specify.
  // The workers are threads, because Vitest kills processes before they write their report, and run the files as they are.
  const options = ['--pool=threads', '--experimental.viteModuleRunner=false'];
  const { status } = spawnSync('npx', ['vitest', 'run', ...options, ...process.argv.slice(2)], {
    env: { ...process.env, NODE_V8_COVERAGE: raw },
    stdio: 'inherit',
  });
  await report();
  process.exitCode = status ?? 1;
} finally {
  await build(shipped);
  rmSync(folder, { recursive: true, force: true });
}
