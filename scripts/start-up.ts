// What makes the program start sooner than its packages would let it. Each trick is measured by `node scripts/measure-start-up.ts`,
// which builds the program without it; the gains below are from there, of about 100 ms from the launch to the answer of
// tools/list on Node 26 with two cores.
import { basename } from 'node:path';
import type { Plugin } from 'rolldown';

/**
 * An `import` of a Node module reads every export, and some are getters that load many modules: MIME types in util, streams in
 * fs. Gain: 38 ms.
 */
const REQUIRED = /^(node:)?(crypto|fs|https?|util)$/;
/** Those of them that are slow to load and not needed at startup: loaded when one of their functions is first called. */
const LATE = /^(node:)?(crypto|https?)$/;

/** A module that packages load at startup and this program never runs. */
interface LeftOut {
  /** The end of its path. */
  readonly module: string;
  /** The end of the path of the only importer that gets this replacement; others get the module, or another replacement. */
  readonly importer?: string;
  /** The replacement. */
  readonly source: string;
}

const LEFT_OUT: Readonly<Record<string, LeftOut>> = {
  // The index also loads fetch, WebSocket, caches and mocks. Gain: 260 of 1,590 kB; undici is loaded with the first request.
  'undici-index': {
    module: '/node_modules/undici/index.js',
    source: `export { default as Agent } from './lib/dispatcher/agent.js';`,
  },
  // The same for proxies, a separate chunk that is loaded only if a proxy is set. The index adds the API's methods.
  'undici-proxies': {
    module: '/node_modules/undici/index.js',
    importer: '/src/http-client/proxied.ts',
    source: `
      import Dispatcher from './lib/dispatcher/dispatcher.js';
      import connect from './lib/api/api-connect.js';
      import request from './lib/api/api-request.js';
      Object.assign(Dispatcher.prototype, { connect, request });
      export { default as EnvHttpProxyAgent } from './lib/dispatcher/env-http-proxy-agent.js';
      export { default as Pool } from './lib/dispatcher/pool.js';
      export { default as buildConnector } from './lib/core/connect.js';`,
  },
  // It loads node:http2, and the server uses HTTP/1.1 only. Gain: 7 ms.
  http2: {
    module: '/node_modules/undici/lib/dispatcher/client-h2.js',
    source: `module.exports = () => { throw new Error('HTTP/2 is left out'); };`,
  },
  // Ajv checks what a user fills into a form, and every Server makes one. Our only form is checked by us. Gain: 17 ms.
  ajv: {
    module: '/node_modules/@modelcontextprotocol/sdk/dist/esm/validation/ajv-provider.js',
    source: 'export class AjvJsonSchemaValidator {}',
  },
};

/** The names of all optimizations. */
export const optimizations: readonly string[] = [...Object.keys(LEFT_OUT), 'schemas', 'required'];

/**
 * The plugins of all optimizations, except one that is to be measured. `isRequired` selects the Node modules that are loaded
 * with `require`.
 */
export function startUp(isRequired = (part: string): boolean => REQUIRED.test(part), without?: string): Plugin[] {
  return [
    ...(without === 'required' ? [] : [requireNode(isRequired)]),
    leaveOut(Object.entries(LEFT_OUT).flatMap(([name, one]) => (name === without ? [] : [one]))),
    ...(without === 'schemas' ? [] : [dropSchemas()]),
  ];
}

/** Loads Node modules with `require` although the source imports them. */
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

function leaveOut(modules: readonly LeftOut[]): Plugin {
  const met = new Set<LeftOut>();
  const ends = (path: string, end: string): boolean => path.replaceAll('\\', '/').endsWith(end);
  return {
    name: 'leave-out',
    async resolveId(source, importer = '', options) {
      const own = modules.filter((one) => one.importer !== undefined && ends(importer, one.importer));
      if (own.length === 0) return undefined;
      const resolved = await this.resolve(source, importer, { ...options, skipSelf: true });
      const found = resolved && own.find(({ module }) => ends(resolved.id, module));
      return found ? `${resolved.id}?${basename(importer)}` : undefined;
    },
    load(id) {
      const [path = '', importer] = id.split('?');
      const found = modules.find(
        (one) => ends(path, one.module) && importer === (one.importer && basename(one.importer)),
      );
      if (found) met.add(found);
      return found?.source;
    },
    // If a package has moved its modules, they would otherwise be bundled again, unnoticed.
    buildEnd(error) {
      const missed = modules.filter((one) => !met.has(one)).map(({ module }) => module);
      if (!error && missed.length > 0) this.error(`moved: ${missed.join(', ')}`);
    },
  };
}

/**
 * The SDK builds a zod schema for everything in the protocol when its file is loaded. Marked as pure, unused schemas are
 * dropped. Gain: 29 ms.
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
