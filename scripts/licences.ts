import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plugin } from 'rolldown';

/** Writes LICENSES.txt with the license of each package in the bundle. */
export function licences(): Plugin {
  return {
    name: 'licences',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((part) => (part.type === 'chunk' ? part.moduleIds : []));
      const folders = new Set(modules.flatMap((id) => packageFolder(id) ?? []));
      const source = [...folders]
        .sort()
        .map(notice)
        .join(`\n${'-'.repeat(80)}\n\n`);
      this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source });
    },
  };
}

/** The folder of the package that a module belongs to, or `undefined` for this package. */
function packageFolder(id: string): string | undefined {
  if (!id.includes('/node_modules/')) return undefined;
  let folder = dirname(id);
  // Some packages have a package.json without a name in a subfolder, only to state the module type.
  while (!existsSync(join(folder, 'package.json')) || nameOf(folder) === undefined) folder = dirname(folder);
  return folder;
}

function nameOf(folder: string): string | undefined {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return typeof name === 'string' && typeof version === 'string' ? `${name} ${version}` : undefined;
}

function notice(folder: string): string {
  const file = readdirSync(folder).find((name) => /^licen[cs]e(\.|$)/i.test(name));
  const { license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${nameOf(folder)}\n\n${file === undefined ? `License: ${license}` : readFileSync(join(folder, file), 'utf8').trim()}\n`;
}
