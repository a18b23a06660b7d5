// Draws docs/images/import-preview.svg and import-result.svg: the example of docs/import.md, imported in the sandbox by the built
// command. `npm run build && node scripts/import-pictures.ts`
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRecord } from '../src/text.ts';
import { drawTerminal, runs, wrap, type Run } from './terminal-picture.ts';

const page = readFileSync(new URL('../docs/import.md', import.meta.url), 'utf8');
const [, example = ''] = /```csv\n([\s\S]*?)```/.exec(page) ?? [];
const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-'));
try {
  writeFileSync(join(folder, 'customers.csv'), example);
  draw('import-preview', 'The preview of an import in a terminal', run(['--dry-run']));
  draw('import-result', 'The end of an import in a terminal', run([], /^\S*5 rows: /m));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** One run of the command as lines of a terminal; `from` leaves out what stands before. */
function run(options: readonly string[], from = /^/): readonly (readonly Run[])[] {
  const output = importFile(options);
  const shown = output.slice(Math.max(0, output.search(from))).trimEnd();
  const command = ['$ customers-mcp import customers.csv', ...options].join(' ');
  return [[{ style: 'plain', text: command }], [], ...runs(shown).flatMap(wrap)];
}

function draw(name: string, label: string, lines: readonly (readonly Run[])[]): void {
  writeFileSync(new URL(`../docs/images/${name}.svg`, import.meta.url), drawTerminal(lines, label));
}

/** What the command prints; that some rows cannot be imported is its exit code 1. */
function importFile(options: readonly string[]): string {
  const environment = {
    CUSTOMERS_SANDBOX: 'true',
    CUSTOMERS_PROVIDER: 'notify',
    CUSTOMERS_STORE: 'memory:',
    FORCE_COLOR: '1',
  };
  const built = new URL('../dist/main.js', import.meta.url).pathname;
  try {
    return execFileSync(process.execPath, [built, 'import', 'customers.csv', ...options], {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...environment },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    if (isRecord(error) && error['status'] === 1) return String(error['stdout']);
    throw error;
  }
}
