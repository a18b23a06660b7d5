import { describeFields } from '../../tools/describe-fields.ts';
import { listTools } from '../../tools/list-tools.ts';
import { startRuntime, withRuntime } from '../lifecycle.ts';
import { defineCommand } from '../options.ts';
import { print, wrapped } from '../terminal.ts';

export const tools = defineCommand({
  name: 'tools',
  usage: 'tools',
  summary: 'Print the tools and their input fields',
  operands: 0,
  options: { json: { type: 'boolean', summary: 'Print JSON' } },

  run: ({ options: { json = false } }, terminal) =>
    withRuntime(startRuntime(terminal), async ({ contexts: [{ tools: offered, provider, sandbox }] }) => {
      const listed = listTools(offered);
      if (json) return print(terminal.stdout, `${JSON.stringify({ tools: listed }, undefined, 2)}\n`, 0);
      const blocks = listed.map(({ name, title, description, inputSchema }) => {
        const fields = describeFields(inputSchema).map(({ field, required, meaning, rule }) => {
          const facts = [required ? 'required' : '', rule].filter(Boolean).join(', ');
          return { field, text: facts === '' ? meaning : `${meaning} (${facts})`.trim() };
        });
        const width = Math.max(...fields.map(({ field }) => field.length));
        return [
          `${name} - ${title}`,
          ...wrapped(description, '  '),
          '',
          // Not wrapped, so that each field stays on one line for grep.
          ...fields.map(({ field, text }) => `    ${field.padEnd(width)}  ${text}`),
        ].join('\n');
      });
      return print(terminal.stdout, `${provider.title}${sandbox ? ' (sandbox)' : ''}\n\n${blocks.join('\n\n')}\n`, 0);
    }),
});
