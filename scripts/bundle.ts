// Creates the bundle that desktop hosts install: customers-mcp.mcpb, or the file in the argument.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packExtension } from '@anthropic-ai/mcpb';
import { build } from 'rolldown';
import { oneFile } from './rolldown.config.ts';

const [output = 'customers-mcp.mcpb'] = process.argv.slice(2);
// A separate folder, because everything in it is packed, and dist/ belongs to the build.
const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-bundle-'));
try {
  await build(oneFile(folder));
  for (const file of ['manifest.json', 'src/icon.png', 'LICENSE']) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(file, join(folder, file));
  }
  if (!(await packExtension({ extensionPath: folder, outputPath: output, silent: true })))
    throw new Error('The bundle was not packed.');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`Created ${output}.\n`);
