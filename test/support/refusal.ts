import { expect } from 'vitest';
import { providers } from '../../src/providers/registry.ts';
import type { Environment } from './client.ts';
import { command } from './process.ts';

const ofProviders = providers.flatMap(({ variables }) => variables);

/** Values of the variables that identify an account or contain a secret. No output may ever show one. */
export const SECRETS: Environment = Object.fromEntries(
  ofProviders
    .filter(({ required, secret }) => required === true || secret === true)
    .map(({ name }) => [name, `hush-${name.toLowerCase()}-1f0c`]),
);

export const memory = { CUSTOMERS_STORE: 'memory:' } as const;

/** The settings of an account at a provider: the variables that it requires. */
export function account(provider: string): Environment {
  const own = providers.find(({ name }) => name === provider)?.variables ?? expect.unreachable(provider);
  const required = own.filter((variable) => variable.required === true);
  return {
    ...memory,
    CUSTOMERS_PROVIDER: provider,
    ...Object.fromEntries(required.map(({ name }) => [name, SECRETS[name] ?? ''])),
  };
}

/** The one message with which the server refuses to start: its problems, a line each. */
export async function refusal(environment: Environment): Promise<string[]> {
  const { code, stdout, stderr } = await command([], environment);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  for (const secret of Object.values(SECRETS)) expect(stderr).not.toContain(secret);
  expect(stderr).not.toMatch(/^\s+at /m);
  const [first, ...rest] = stderr.trimEnd().split('\n');
  expect(first).toBe('customers-mcp: invalid configuration:');
  expect(rest.at(-1)).toMatch(/--help/);
  const problems = rest.slice(0, -1);
  for (const problem of problems) expect(problem).toMatch(/^ {2}- .+\.$/);
  return problems;
}

/** Starts and ends properly with these settings. */
export async function accepted(environment: Environment): Promise<void> {
  const { code, stderr } = await command([], environment);
  expect({ code, stderr: stderr.replace(/^customers-mcp: SANDBOX.*\n/, '') }).toEqual({ code: 0, stderr: '' });
}
