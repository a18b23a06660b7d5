import { z } from 'zod';
import { textFor } from '../errors.ts';
import { isRecord } from '../text.ts';
import type { Tenant, Tool } from './tool.ts';

interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: { readonly type: 'object' };
  readonly outputSchema: { readonly type: 'object' };
  readonly annotations: Tool['hints'];
}

/** What every answer shows if it applies; `runTool` adds it. */
const SHOWN_BY_ALL = { sandbox: z.boolean().optional() };
const SHOWN_BY_TENANTS = { ...SHOWN_BY_ALL, tenant: z.string().optional() };

const built = new WeakMap<readonly Tool[], ListedTool[]>();

/** Tools as tools/list shows them; built once, so that every answer has the same bytes. */
export function listTools(tools: readonly Tool[], tenant?: Tenant): ListedTool[] {
  const listed =
    built.get(tools) ??
    tools.map(({ name, title, description, input, output, hints }) => ({
      name,
      title,
      description: textFor(description, tools),
      inputSchema: schemaOf(input),
      outputSchema: schemaOf(output.extend(tenant ? SHOWN_BY_TENANTS : SHOWN_BY_ALL)),
      annotations: hints,
    }));
  built.set(tools, listed);
  return listed;
}

/**
 * A schema without members that cost tokens and carry no information. Below the root, open objects say so, because some clients
 * would close them otherwise.
 */
export function schemaOf(schema: z.ZodObject): { type: 'object' } {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema, path }) => {
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (isRecord(jsonSchema.additionalProperties) && Object.keys(jsonSchema.additionalProperties).length === 0) {
        if (path.length === 0) delete jsonSchema.additionalProperties;
        else jsonSchema.additionalProperties = true;
      }
      if (jsonSchema.properties && Object.keys(jsonSchema.properties).length === 0) delete jsonSchema.properties;
    },
  });
  return { ...json, type: 'object' };
}
