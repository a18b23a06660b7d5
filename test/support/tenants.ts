import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from './client.ts';
import { bearer, post, serve, structuredIn, toolCall, type HttpServer, type Reply } from './http.ts';

/** A token of a tenant, at least as long as an operator's. */
export function tokenOf(tenant: string): string {
  return `token-${tenant}-0123456789abcdef0123456789`;
}

/** The entry of a token in the file. */
export function tokenEntry(token: string, scopes?: readonly string[]): object {
  return { sha256: createHash('sha256').update(token).digest('hex'), ...(scopes && { scopes }) };
}

/** A file of tenants in a folder of its own. */
export function tenantFile(content: unknown): { readonly path: string; write(content: unknown): void; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-tenants-'));
  const path = join(folder, 'tenants.json');
  const write = (value: unknown): void =>
    writeFileSync(path, typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value));
  write(content);
  return { path, write, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Entries of these settings, each with one token of its own. */
export function entries(tenants: Readonly<Record<string, object>>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(tenants).map(([name, settings]) => [name, { tokens: [tokenEntry(tokenOf(name))], ...settings }]),
  );
}

export interface TenantServer extends HttpServer {
  readonly file: ReturnType<typeof tenantFile>;
  /** Calls a tool at a tenant's address, with the tenant's token. */
  call(tenant: string, tool: string, args?: Record<string, unknown>): Promise<Record<string, unknown>>;
  end(): Promise<void>;
}

/** A server for these entries. */
export async function serveTenants(content: unknown, environment: Environment = {}): Promise<TenantServer> {
  const file = tenantFile(content);
  // Named, so that no token is expected of the start.
  const server = await serve({
    CUSTOMERS_STORE: 'memory:',
    CUSTOMERS_PROVIDER: '',
    CUSTOMERS_SANDBOX: '',
    CUSTOMERS_HTTP_TOKEN: '',
    CUSTOMERS_TENANTS: file.path,
    ...environment,
  });
  return {
    ...server,
    file,
    call: async (tenant, tool, args = {}) => structuredIn(await at(server, tenant, toolCall(tool, args))),
    async end() {
      server.kill();
      await server.ended;
      file.remove();
    },
  };
}

/** Sends a body to a tenant's address, with the token of that tenant or another one. */
export function at(
  server: Pick<HttpServer, 'port' | 'token'>,
  tenant: string,
  body: unknown,
  token = tokenOf(tenant),
): Promise<Reply> {
  return post(server, body, { path: `/mcp/${tenant}`, headers: bearer(token) });
}
