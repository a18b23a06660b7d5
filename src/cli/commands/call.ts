import { UsageError } from '../../errors.ts';
import { runTool } from '../../tools/run-tool.ts';
import { announceSandbox, startRuntime, withRuntime } from '../lifecycle.ts';
import { defineCommand } from '../options.ts';
import { print, stopSignal } from '../terminal.ts';

export const call = defineCommand({
  name: 'call',
  usage: 'call TOOL [JSON]',
  summary: 'Run one tool and print its result as JSON',
  operands: 2,
  options: {},

  run: ({ operands: [name, json = '{}'] }, terminal) =>
    withRuntime(startRuntime(terminal), async ({ contexts: [context] }) => {
      const { tools } = context;
      const names = tools.map((tool) => tool.name).join(', ');
      const tool = tools.find((candidate) => candidate.name === name);
      if (!tool)
        throw new UsageError(
          name === undefined
            ? `call needs the name of a tool: ${names}`
            : `unknown tool '${name}'; available tools: ${names}`,
        );
      const input = parseJson(json);
      announceSandbox(context, terminal);
      const { isError, structured } = await runTool({ tool, input }, context, {
        signal: stopSignal(terminal),
        ask: async () => 'unavailable',
        progress() {},
      });
      return print(terminal.stdout, `${JSON.stringify(structured, undefined, 2)}\n`, isError ? 1 : 0);
    }),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError('the input must be quoted JSON: customers-mcp call search_customer \'{"limit": 5}\'');
  }
}
