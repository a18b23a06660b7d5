import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { build, defineConfig, type BuildOptions, type Plugin } from 'rolldown';

/** An import reads every export of a part, and behind some are getters that load much: MIME types behind util, streams behind fs. */
const REQUIRED = /^(node:)?(crypto|fs|https?|util)$/;
/** Of those, what is slow to load itself and not needed at the start: loaded when a function of it is first called. */
const LATE = /^(node:)?(crypto|https?)$/;

// One small file that checks the Node version, one bundle behind it, and lazy parts for what is seldom asked for. What is
// installed is this and nothing else, so the licences of what is in it go with it.
export default defineConfig({
  ...common(),
  output: {
    dir: 'dist',
    format: 'esm',
    minify: true,
    cleanDir: true,
    entryFileNames: 'main.js',
    chunkFileNames: '[name]-[hash].js',
    // What every start loads is one file, although the lazy parts share some of it.
    codeSplitting: { groups: [{ name: 'cli', test: /\/src\/cli\.ts$/ }] },
  },
  plugins: [requireNode((part) => REQUIRED.test(part)), ...plugins()],
});

/**
 * The same as one file, for desktop hosts. Its lazy parts are still run only when they are asked for, but what they import
 * would be loaded at the start, and an old Node would miss SQLite before it is told its age: so all of Node is required.
 */
export function oneFile(dir: string): BuildOptions {
  return {
    ...common(),
    output: { dir, format: 'esm', minify: true, entryFileNames: 'main.mjs', codeSplitting: false },
    plugins: [requireNode((part) => isBuiltin(part) && part !== 'node:module'), ...plugins()],
  };
}

function common() {
  return {
    input: 'src/main.ts',
    platform: 'node',
    // undici's own switch for bundles: without its experimental parser, which is off unless it is asked for.
    transform: { define: { esbuildDetection: 'true' } },
  } as const;
}

function plugins(): Plugin[] {
  return [leaveOut(), dropSchemas(), pages(), licences()];
}

/** Parts of Node that are required although the source imports them. */
function requireNode(isRequired: (part: string) => boolean): Plugin {
  const mark = '\0required:';
  return {
    name: 'require-node',
    resolveId: (source, _importer, { kind }) =>
      kind === 'import-statement' && isRequired(source) ? mark + source : undefined,
    load(id) {
      if (!id.startsWith(mark)) return undefined;
      const part = id.slice(mark.length);
      const required = `require('${part}')`;
      return `module.exports = ${LATE.test(part) ? `new Proxy({}, { get: (_, name) => ${required}[name] })` : required};`;
    },
  };
}

/** What packages load at the start and this program never runs: the end of a module's path, and what stands in for it. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  // The index brings fetch, WebSocket, caches and mocks along.
  '/node_modules/undici/index.js': `export { default as Agent } from './lib/dispatcher/agent.js';`,
  // It loads node:http2, and we speak HTTP/1.1.
  '/node_modules/undici/lib/dispatcher/client-h2.js': `module.exports = () => { throw new Error('HTTP/2 is left out'); };`,
  // Ajv checks what a person fills into a form, and every Server makes one. Our questions have no fields.
  '/node_modules/@modelcontextprotocol/sdk/dist/esm/validation/ajv-provider.js': `
    export class AjvJsonSchemaValidator {
      getValidator({ properties }) {
        if (Object.keys(properties).length > 0) throw new Error('Ajv is left out');
        return (data) => ({ valid: true, data });
      }
    }`,
};

function leaveOut(): Plugin {
  const met = new Set<string>();
  return {
    name: 'leave-out',
    load(id) {
      const end = Object.keys(LEFT_OUT).find((one) => id.replaceAll('\\', '/').endsWith(one));
      if (end === undefined) return undefined;
      met.add(end);
      return LEFT_OUT[end];
    },
    // A package that has moved its modules would else come back in whole, and nobody would notice.
    buildEnd(error) {
      const missed = Object.keys(LEFT_OUT).filter((end) => !met.has(end));
      if (!error && missed.length > 0) this.error(`not there any more: ${missed.join(', ')}`);
    },
  };
}

/**
 * The SDK builds a zod schema for everything in the protocol as its file is loaded. Marked as pure, those that nothing uses
 * are dropped.
 */
function dropSchemas(): Plugin {
  return {
    name: 'drop-schemas',
    transform(code, id) {
      if (!id.replaceAll('\\', '/').endsWith('/@modelcontextprotocol/sdk/dist/esm/types.js')) return undefined;
      const schemas = this.parse(code).body.flatMap((statement) => {
        const declared = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
        if (declared?.type !== 'VariableDeclaration') return [];
        return declared.declarations.flatMap(({ init }) => (init?.type === 'CallExpression' ? [init] : []));
      });
      return schemas.reduceRight(
        (text, { start, end }) =>
          `${text.slice(0, start)}/* @__PURE__ */ (() => ${text.slice(start, end)})()${text.slice(end)}`,
        code,
      );
    },
  };
}

/**
 * A page as one text, with its style and script in it. Its policy names the two by their hashes and allows nothing else: no
 * network, no other script, and no text that becomes HTML.
 */
function pages(): Plugin {
  return {
    name: 'pages',
    async load(id) {
      if (!id.endsWith('.html')) return undefined;
      const hashes: string[] = [];
      const inlined = (tag: string, text: string): string => {
        hashes.push(`${tag}-src 'sha256-${createHash('sha256').update(text).digest('base64')}'`);
        return `<${tag}>${text}</${tag}>`;
      };
      const beside = (file: string): string => join(dirname(id), file);
      const source = readFileSync(id, 'utf8').replace(/>\s+</g, '><').trim();
      const [style = '', styleFile = ''] = /<link rel="stylesheet" href="([^"]+)" \/>/.exec(source) ?? [];
      const [script = '', scriptFile = ''] = /<script src="([^"]+)"><\/script>/.exec(source) ?? [];
      const code = await scriptOf(beside(scriptFile));
      const page = source
        .replace(style, () => inlined('style', tight(readFileSync(beside(styleFile), 'utf8'))))
        .replace(script, () => inlined('script', code));
      const policy = [
        "default-src 'none'",
        ...hashes,
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
      ];
      return {
        code: `export default ${JSON.stringify(page.replace('{policy}', policy.join('; ')))};`,
        moduleType: 'js',
      };
    },
  };
}

/** Style without what only its readers need. */
function tight(css: string): string {
  return css
    .replace(/\s+/g, ' ')
    .replace(/ ?([{};,]) ?/g, '$1')
    .replace(/: /g, ':')
    .replaceAll(';}', '}')
    .trim();
}

async function scriptOf(input: string): Promise<string> {
  const { output } = await build({
    input,
    write: false,
    platform: 'browser',
    output: { format: 'iife', minify: true },
  });
  return output[0].code.trim();
}

function licences(): Plugin {
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

/** The folder of the package that a module belongs to, or `undefined` for our own. */
function packageFolder(id: string): string | undefined {
  if (!id.includes('/node_modules/')) return undefined;
  let folder = dirname(id);
  // Some packages have a nameless package.json below, only to tell the kind of their modules.
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
  return `${nameOf(folder)}\n\n${file === undefined ? `Licence: ${license}` : readFileSync(join(folder, file), 'utf8').trim()}\n`;
}
