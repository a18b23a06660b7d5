import { parseArgs } from 'node:util';
import { UsageError } from '../errors.ts';
import type { Terminal } from './terminal.ts';

/** An option of a command, for the parser and for the help. */
interface Option {
  readonly type: 'boolean' | 'string';
  readonly multiple?: boolean;
  readonly short?: string;
  /** The placeholder of its value in the help, such as `NUMBER`. */
  readonly value?: string;
  readonly summary: string;
}

type Options = Readonly<Record<string, Option>>;

/** The description of a command in the help, and the number of its operands. */
interface Description<O extends Options> {
  readonly name: string;
  /** The command line after `customers-mcp`, without options. */
  readonly usage: string;
  readonly summary: string;
  readonly operands: number;
  readonly options: O;
}

/** A command whose option types are erased, so that all commands fit one list. */
export interface Command extends Description<Options> {
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}

type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values'];

interface Definition<O extends Options> extends Description<O> {
  run(line: { readonly operands: readonly string[]; readonly options: Values<O> }, terminal: Terminal): Promise<number>;
}

/** Creates a command from its description and a `run` function that receives its parsed and typed arguments. */
export function defineCommand<const O extends Options>(definition: Definition<O>): Command {
  return {
    ...definition,
    run: async (args, terminal) => definition.run(parse(args, definition), terminal),
  };
}

/** Options of every command. */
export const commonOptions = {
  help: { type: 'boolean', short: 'h', summary: 'Print this text' },
  version: { type: 'boolean', short: 'v', summary: 'Print the version' },
} as const satisfies Options;

/** The command that a command line names, and its arguments without that name. */
export interface CommandLine {
  readonly command: Command;
  readonly args: readonly string[];
  readonly help: boolean;
  readonly version: boolean;
}

/**
 * Finds the command. Options can come before its name, so an option must have the same type in every command.
 * @throws UsageError for an unknown command.
 */
export function readCommandLine(
  args: readonly string[],
  commands: readonly Command[],
  withoutName: Command,
): CommandLine {
  const all: Options = Object.assign({}, commonOptions, ...commands.map(({ options }) => options));
  const { tokens } = parseArgs({ args: [...args], options: all, allowPositionals: true, strict: false, tokens: true });
  const has = (name: string): boolean => tokens.some((token) => token.kind === 'option' && token.name === name);
  const asked = { help: has('help'), version: has('version') };
  const word = tokens.find((token) => token.kind === 'positional');
  if (word === undefined) return { command: withoutName, args, ...asked };
  const command = commands.find(({ name }) => name === word.value);
  if (command) return { command, args: args.toSpliced(word.index, 1), ...asked };
  if (asked.help || asked.version) return { command: withoutName, args, ...asked };
  throw new UsageError(`unknown command '${word.value}'`);
}

function parse<O extends Options>(args: readonly string[], { name, options, operands }: Description<O>) {
  const line = { args: [...args], options, allowPositionals: true } as const;
  const known = parseArgs({ ...line, strict: false, tokens: true });
  const unknown = known.tokens.find((token) => token.kind === 'option' && !(token.name in options));
  if (unknown?.kind === 'option') throw new UsageError(`unknown option '${unknown.rawName}' for command '${name}'`);
  const given = known.tokens.flatMap((token) => (token.kind === 'option' ? token.name : []));
  const twice = given.find(
    (option, index) => options[option]?.type === 'string' && !options[option].multiple && given.indexOf(option) < index,
  );
  if (twice !== undefined) throw new UsageError(`--${twice} can be used only once`);
  const extra = known.positionals[operands];
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}' for command '${name}'; quote JSON`);
  try {
    const { values, positionals } = parseArgs(line);
    return { options: values, operands: positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'invalid arguments', { cause: error });
  }
}
