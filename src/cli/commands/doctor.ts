import { httpVariables } from '../../config.ts';
import { ConfigError } from '../../errors.ts';
import { createRuntime } from '../../runtime.ts';
import { Settings } from '../../settings.ts';
import type { Check } from '../check.ts';
import { checkAccount, checkShared, runChecks } from '../checks.ts';
import { startTenants, withRuntime } from '../lifecycle.ts';
import { defineCommand } from '../options.ts';
import { print, stopSignal, type Terminal } from '../terminal.ts';

export const doctor = defineCommand({
  name: 'doctor',
  usage: 'doctor',
  summary: 'Check settings, store, provider, credentials and clock, and list open creates',
  operands: 0,
  options: {
    settle: { type: 'boolean', summary: 'Look up the open creates at the provider' },
    json: { type: 'boolean', summary: 'Print JSON' },
  },

  async run({ options: { json = false, settle = false } }, terminal) {
    const checks = await checkAll(settle, terminal);
    const healthy = checks.every(({ ok }) => ok);
    const lines = checks.map(
      ({ check, tenant, ok, found, remedy }) =>
        `${ok ? 'ok   ' : 'BAD  '}${tenant === undefined ? '' : `${tenant}, `}${check}: ${found}\n${remedy === undefined ? '' : `     ${remedy}\n`}`,
    );
    const text = json ? `${JSON.stringify({ healthy, findings: checks }, undefined, 2)}\n` : lines.join('');
    return print(terminal.stdout, text, healthy ? 0 : 1);
  },
});

/** Runs all checks; an invalid configuration is reported as a failed check. */
async function checkAll(settle: boolean, terminal: Terminal): Promise<readonly Check[]> {
  const settings = new Settings(terminal.environment);
  const path = settings.optional(httpVariables.tenants);
  try {
    if (path !== undefined) return await checkTenants({ settings, path }, settle, terminal);
    return await withRuntime(
      createRuntime(settings, () => {}, true),
      (runtime) => runChecks(runtime, settle, stopSignal(terminal)),
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => ({ check: 'settings', ok: false, found: problem }));
  }
}

/** Runs the checks of the store once and those of an account for each tenant, one after the other. */
async function checkTenants(
  { settings, path }: { readonly settings: Settings; readonly path: string },
  settle: boolean,
  terminal: Terminal,
): Promise<readonly Check[]> {
  const { tenants, shared } = await startTenants(settings, { path, environment: terminal.environment }, () => {});
  try {
    const checks = await checkShared(`${tenants.entries.size} tenants`, {
      store: shared.check,
      audit: shared.audit,
    });
    for (const name of tenants.entries.keys())
      checks.push(
        ...((await tenants.use(name, (context) => checkAccount(context, settle, stopSignal(terminal)))) ?? []),
      );
    return checks;
  } finally {
    await tenants.close();
  }
}
