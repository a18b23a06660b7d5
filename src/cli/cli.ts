import packageJson from '../../package.json' with { type: 'json' };
import { ConfigError, UsageError } from '../errors.ts';
import { call } from './commands/call.ts';
import { doctor } from './commands/doctor.ts';
import { http } from './commands/http.ts';
import { importCustomers } from './commands/import.ts';
import { stdio } from './commands/stdio.ts';
import { tools } from './commands/tools.ts';
import { helpText } from './help.ts';
import { readCommandLine, type Command } from './options.ts';
import { print, type Terminal } from './terminal.ts';

/** The named commands, in the order of the help; without a name, the server speaks stdio. */
const commands: readonly Command[] = [http, call, tools, importCustomers, doctor];

/**
 * Runs a command. @returns the exit code: 0 for success, 1 if the tool returned an error, 2 for invalid configuration or usage.
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const { stdout, stderr } = terminal;
  let command: Command | undefined;
  try {
    const line = readCommandLine(args, commands, stdio);
    ({ command } = line);
    if (line.help) return await print(stdout, helpText([stdio, ...commands]), 0);
    if (line.version) return await print(stdout, `${packageJson.version}\n`, 0);
    return await command.run(line.args, terminal);
  } catch (error) {
    const problem = describe(error);
    if (problem === undefined) throw error;
    await print(stderr, `customers-mcp: ${problem}\nSee customers-mcp --help.\n`, 2);
    if (command === stdio) {
      const { reportStartFailure } = await import('./start-failure.ts');
      await reportStartFailure(terminal, `customers-mcp: ${problem}`);
    }
    return 2;
  }
}

/** A description of an error that the user can correct; `undefined` for any other error. */
function describe(error: unknown): string | undefined {
  if (error instanceof UsageError) return error.message;
  if (error instanceof ConfigError)
    return `invalid configuration:\n${error.problems.map((problem) => `  - ${problem}`).join('\n')}`;
  return undefined;
}
