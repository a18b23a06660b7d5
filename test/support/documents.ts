import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The pages that people read. */
export const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...readdirSync(join(ROOT, 'docs'))]
  .filter((file) => file.endsWith('.md'))
  .map((file) => (existsSync(join(ROOT, file)) ? file : join('docs', file)))
  .map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }));

/** A command that a reader copies. */
export interface Line {
  readonly file: string;
  readonly line: string;
  /** The `export` commands before it in its block. */
  readonly exports: readonly string[];
}

/** The blocks of a page in a language; a reader types those without one into a shell. */
export function blocksOf(text: string, language: string): readonly string[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .filter(([, own]) => own === language)
    .map(([, , block = '']) => block.trim());
}

const inBlocks: readonly Line[] = pages.flatMap(({ file, text }) =>
  blocksOf(text, '').flatMap((block) => {
    const typed = block.split('\n').map((line) => line.trim());
    return typed.map((line, index) => ({
      file,
      line,
      exports: typed.slice(0, index).filter((other) => other.startsWith('export ')),
    }));
  }),
);

/** Commands in a sentence or a table. One word alone, such as `node`, is the name of a program. */
const inline: readonly Line[] = pages.flatMap(({ file, text }) =>
  [
    ...text
      .replaceAll(/^```.*?^```$/gms, '')
      .matchAll(/`((?:\w+=\S+ )*(?:npm|npx|node|bash|openssl|customers-mcp) [^`]+)`/g),
  ].map(([, line = '']) => ({ file, line: line.replaceAll(/\s+/g, ' '), exports: [] })),
);

/** Every command of the pages, each once. */
export const lines: readonly Line[] = [
  ...new Map([...inBlocks, ...inline].map((one) => [`${one.file} ${one.line}`, one])).values(),
];
