import { httpVariables, proxyVariables, variables } from '../config.ts';
import { providers } from '../providers/registry.ts';
import type { Variable } from '../settings.ts';

/** A group of related variables. */
interface SettingGroup {
  readonly title: string;
  /** Whether they apply to a server over HTTP, to every server, to one provider, or to all programs of the machine. */
  readonly scope: 'http' | 'server' | 'provider' | 'machine';
  readonly variables: readonly Variable[];
}

const provider: Variable = { ...variables.provider, choices: providers.map(({ name }) => name) };

/** All settings, in the groups in which the help and the README show them. */
export const settingGroups: readonly SettingGroup[] = [
  { title: 'Server', scope: 'server', variables: Object.values({ ...variables, provider }) },
  ...providers.map(({ title, variables: own }) => ({ title, scope: 'provider' as const, variables: own })),
  { title: 'HTTP', scope: 'http', variables: Object.values(httpVariables) },
  { title: 'Proxy', scope: 'machine', variables: Object.values(proxyVariables) },
];

/** The sentences that follow the meaning of a variable; `code` formats its values. */
export function factsOf(variable: Variable, code = (value: string): string => value): readonly string[] {
  const { fallback, required, or } = variable;
  return [
    ...(required ? [or === undefined ? 'Required.' : `Required, or ${code(or)}.`] : []),
    ...choicesOf(variable, code),
    ...(fallback === undefined ? [] : [`Default: ${code(String(fallback))}.`]),
  ];
}

/** A sentence with the permitted values, unless the meaning already names them. */
export function choicesOf(
  { fallback, choices, choicesNamed }: Variable,
  code = (value: string): string => value,
): readonly string[] {
  const values = typeof fallback === 'boolean' ? ['true', 'false'] : (choices ?? []);
  return values.length === 0 || choicesNamed ? [] : [`One of ${values.map(code).join(', ')}.`];
}
