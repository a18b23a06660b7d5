import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { z } from 'zod';

/** Every line of an audit trail, and nothing besides. */
const Line = z.strictObject({
  time: z.iso.datetime(),
  event: z.enum(['intent', 'write', 'consent']),
  write_id: z.uuid(),
  request_id: z.union([z.string(), z.number()]).optional(),
  tenant: z.string().optional(),
  caller: z
    .string()
    .regex(/^[\w./-]+$/)
    .optional(),
  tool: z.string(),
  provider: z.string(),
  sandbox: z.literal(true).optional(),
  customer_id: z.string().optional(),
  archived_customer_id: z.string().optional(),
  external_id_hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  row: z.number().optional(),
  fields: z.array(z.string()).optional(),
  outcome: z.string().optional(),
  error: z.string().optional(),
});
export type AuditLine = z.output<typeof Line>;

/** The lines in a text, all of which must be whole. */
export function linesIn(text: string): readonly AuditLine[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => Line.parse(JSON.parse(line)));
}

/** A trail in a folder of its own until the end of the test, and the settings that lead to it. */
export function trail() {
  const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-audit-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'audit.jsonl');
  const text = (): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  return {
    folder,
    path,
    environment: { CUSTOMERS_AUDIT: `file:${path}` },
    required: { CUSTOMERS_AUDIT: `file:${path}`, CUSTOMERS_AUDIT_REQUIRED: 'true' },
    text,
    lines: () => linesIn(text()),
  };
}
