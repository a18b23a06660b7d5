import { createHash, randomBytes } from 'node:crypto';
import packageJson from '../../../package.json' with { type: 'json' };
import { ConfigError, UsageError } from '../../errors.ts';
import type { HttpConfig } from '../../http/config.ts';
import type { Serving } from '../../http/serve.ts';
import { createRuntime } from '../../runtime.ts';
import { Settings } from '../../settings.ts';
import type { TenantEntry } from '../../tenants/tenant-file.ts';
import { accountsOf, announceSandbox, startTenants, whileReconciling, withRuntime } from '../lifecycle.ts';
import { defineCommand } from '../options.ts';
import { print, type Terminal } from '../terminal.ts';

export const http = defineCommand({
  name: 'http',
  usage: 'http',
  summary: 'Serve MCP over HTTP, for a team',
  operands: 0,
  options: {
    host: { type: 'string', value: 'HOST', summary: 'Address to listen on (default: 127.0.0.1)' },
    port: { type: 'string', value: 'PORT', summary: 'Port to listen on (default: 3000)' },
    'new-token': { type: 'string', value: 'TENANT', summary: 'Print a token and its entry for CUSTOMERS_TENANTS' },
  },

  async run({ options }, terminal) {
    const { host = '127.0.0.1', port = '3000', 'new-token': tenant } = options;
    if (tenant !== undefined) return print(terminal.stdout, await describeNewToken(tenant), 0);
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
      throw new UsageError('--port must be a number from 0 to 65535');
    // Node interprets an empty host as every address of the machine.
    if (host.trim() === '') throw new UsageError('--host must be a name or an address');
    const { readHttpConfig } = await import('../../http/config.ts');
    const settings = new Settings(terminal.environment);
    const config = readHttpConfig(settings, host, Number(port));
    return config.tenants
      ? serveTenants(config.tenants.path, { settings, config }, terminal)
      : serveAccounts({ settings, config }, terminal);
  },
});

interface Read {
  readonly settings: Settings;
  readonly config: HttpConfig;
}

function serveAccounts({ settings, config }: Read, terminal: Terminal): Promise<number> {
  return withRuntime(
    createRuntime(settings, (text, done) => terminal.stderr.write(text, done), true),
    async (runtime) => {
      const { contexts, store, log } = runtime;
      for (const context of contexts) announceSandbox(context, terminal);
      await whileReconciling(accountsOf(contexts), runtime, () =>
        serve({ served: { contexts }, store, log }, config, terminal),
      );
      return 0;
    },
  );
}

/** Serves the tenants of a file, which is read again at SIGHUP. */
async function serveTenants(path: string, { settings, config }: Read, terminal: Terminal): Promise<number> {
  const { environment, stderr } = terminal;
  const { readTenantFile } = await import('../../tenants/tenant-file.ts');
  const { tenants, shared, file } = await startTenants(settings, { path, environment }, (text, done) =>
    stderr.write(text, done),
  );
  try {
    announceSimulated([...tenants.entries.values()], terminal);
    terminal.onHangup(() => stderr.write(`customers-mcp: ${reload(() => tenants.replace(readTenantFile(file)))}\n`));
    const { check: store, log } = shared;
    const timeoutMs = Math.max(...[...tenants.entries.values()].map(({ settings: own }) => own.config.timeoutMs));
    await whileReconciling([{ creates: tenants.creates, timeoutMs }], { log, store }, () =>
      serve({ served: { tenants }, store, log }, config, terminal),
    );
    return 0;
  } finally {
    await tenants.close();
  }
}

/** Announces on stderr which tenants are simulated. */
function announceSimulated(entries: readonly TenantEntry[], { stderr }: Terminal): void {
  const simulated = entries.filter(({ settings }) => settings.config.sandbox).map(({ name }) => name);
  if (simulated.length > 0)
    stderr.write(
      `customers-mcp: SANDBOX. Simulated on this machine: ${simulated.slice(0, 20).join(', ')}${simulated.length > 20 ? ` and ${simulated.length - 20} more` : ''}. Nothing of these tenants is real.\n`,
    );
}

/** Reads the file of tenants again. @returns what the operator needs to know. */
function reload(read: () => void): string {
  try {
    read();
    return 'the tenants were reloaded.';
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return `the tenants were not reloaded; the server goes on with the previous ones:\n${error.problems.map((problem) => `  - ${problem}`).join('\n')}`;
  }
}

async function serve(serving: Serving, config: HttpConfig, { stdout, stopped }: Terminal): Promise<void> {
  const { serveHttp } = await import('../../http/serve.ts');
  await serveHttp(serving, config, {
    version: packageJson.version,
    stopped,
    started({ urls, madeToken }) {
      stdout.write(urls.map((url) => `customers-mcp: serving MCP at ${url}\n`).join(''));
      if (madeToken !== undefined) stdout.write(describeToken(urls, madeToken));
    },
  });
}

/** A token for the callers of a tenant, and what the file of tenants contains for it. @throws UsageError for an invalid name. */
async function describeNewToken(tenant: string): Promise<string> {
  const [{ isTenantName, TENANT_NAMES }, { READ_SCOPE, WRITE_SCOPE }] = await Promise.all([
    import('../../tenants/tenant-file.ts'),
    import('../../http/auth.ts'),
  ]);
  if (!isTenantName(tenant)) throw new UsageError(`--new-token must be the name of a tenant; ${TENANT_NAMES}`);
  const token = randomBytes(32).toString('base64url');
  const sha256 = createHash('sha256').update(token).digest('hex');
  const entry = { tokens: [{ sha256, scopes: [READ_SCOPE, WRITE_SCOPE] }] };
  const json = JSON.stringify({ [tenant]: entry }, undefined, 2);
  return `Token, shown only now: ${token}\nAdd to the file of CUSTOMERS_TENANTS, in the entry of the tenant:\n${json}\n`;
}

/** A client configuration that works until the server stops. */
function describeToken(urls: readonly string[], token: string): string {
  const entries = urls.map((url, index) => [
    urls.length === 1 ? 'customers' : `customers-${index + 1}`,
    { type: 'http', url, headers: { Authorization: `Bearer ${token}` } },
  ]);
  const json = JSON.stringify({ mcpServers: Object.fromEntries(entries) }, undefined, 2);
  return `CUSTOMERS_HTTP_TOKEN is not set. Token generated for this session: ${token}\nClient configuration:\n${json}\n`;
}
