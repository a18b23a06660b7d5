import packageJson from '../../package.json' with { type: 'json' };
import { commonOptions, type Command } from './options.ts';
import { factsOf, settingGroups } from './setting-groups.ts';
import { table, wrapped } from './terminal.ts';

/** The text of --help, generated from the commands and the tables of variables. */
export function helpText(commands: readonly Command[]): string {
  const lines = [
    `customers-mcp ${packageJson.version} - customer tools for AI agents`,
    '',
    'Usage:',
    ...table([...commands.flatMap(describeCommand), ['with any command', ''], ...describeOptions(commonOptions)], '  '),
    '',
    ...wrapped(
      'Without settings, the server runs in a sandbox that needs no account. Settings are environment variables; NAME_FILE can contain the path of a file with the value of NAME.',
      '',
    ),
    ...settingGroups.flatMap(({ title, variables }) => [
      '',
      `${title}:`,
      ...table(
        variables.map((variable) => [variable.name, [variable.meaning, ...factsOf(variable)].join(' ')]),
        '  ',
      ),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function describeCommand({ usage, summary, options }: Command): [string, string][] {
  return [[`customers-mcp ${usage}`.trim(), summary], ...describeOptions(options)];
}

function describeOptions(options: Command['options']): [string, string][] {
  return Object.entries(options).map(([name, { value, short, summary }]) => [
    `    ${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
    summary,
  ]);
}
