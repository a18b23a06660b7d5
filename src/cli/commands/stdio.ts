import { setTimeout as sleep } from 'node:timers/promises';
import packageJson from '../../../package.json' with { type: 'json' };
import { serveStdio } from '../../mcp/stdio.ts';
import { accountsOf, announceSandbox, startRuntime, whileReconciling, withRuntime } from '../lifecycle.ts';
import { defineCommand } from '../options.ts';
import { print } from '../terminal.ts';

/** How long the client may take to read the last answers. */
const FLUSH_MS = 2_000;

export const stdio = defineCommand({
  name: 'stdio',
  usage: '',
  summary: 'Serve MCP over stdio; MCP clients launch it this way',
  operands: 0,
  options: {},

  run: (_, terminal) =>
    withRuntime(startRuntime(terminal), async (runtime) => {
      const { stdin, stdout, stderr } = terminal;
      const [context] = runtime.contexts;
      announceSandbox(context, terminal);
      if (stdin.isTTY) {
        stderr.write(
          'customers-mcp: waiting for an MCP client on stdin. To try it by hand, run customers-mcp call search_customer. To add it to a client, see the README. Press Ctrl-C to stop.\n',
        );
      }
      await whileReconciling(accountsOf(runtime.contexts), runtime, () =>
        serveStdio({ context, version: packageJson.version }, terminal),
      );
      // A client that does not read its answers must not keep the process alive.
      return Promise.race([print(stdout, '', 0), sleep(FLUSH_MS, 0)]);
    }),
});
