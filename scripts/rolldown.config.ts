import { isBuiltin } from 'node:module';
import { defineConfig, type BuildOptions } from 'rolldown';
import { licences } from './licences.ts';
import { pages } from './pages.ts';
import { startUp } from './start-up.ts';

/**
 * The program: one small file that checks the Node version, one bundle behind it, and lazy chunks for rarely used code. Nothing
 * else is installed, so it includes the licenses of the packages in it. `without` names an optimization to omit.
 */
export function program(dir: string, without?: string) {
  return {
    ...common,
    output: {
      dir,
      format: 'esm',
      minify: true,
      cleanDir: true,
      entryFileNames: 'main.js',
      chunkFileNames: '[name]-[hash].js',
      // Everything that every start loads is in one file, although the lazy chunks share some of it.
      codeSplitting: { groups: [{ name: 'cli', test: /\/src\/cli\/cli\.ts$/ }] },
    },
    plugins: [...startUp(undefined, without), pages(), licences()],
  } as const satisfies BuildOptions;
}

/**
 * The program as one file, for desktop hosts. Its lazy parts still run only on demand, but their imports would be loaded at
 * startup, and an old Node would fail at SQLite before the version check: therefore all Node modules are loaded with `require`.
 */
export function oneFile(dir: string): BuildOptions {
  return {
    ...common,
    output: { dir, format: 'esm', minify: true, entryFileNames: 'main.mjs', codeSplitting: false },
    plugins: [...startUp((part) => isBuiltin(part) && part !== 'node:module'), pages(), licences()],
  };
}

const common = {
  input: 'src/main.ts',
  platform: 'node',
  // undici's own switch for bundles: it omits the experimental parser, which is off by default.
  transform: { define: { esbuildDetection: 'true' } },
} as const;

export default defineConfig(program('dist'));
