import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'rolldown';

/**
 * Bundles a page into one string with its style and script inlined. Its policy allows only these two, by their hashes: no
 * network, no other script, and no text that becomes HTML.
 */
export function pages(): Plugin {
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

/** The style without comments and unnecessary white space. */
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
