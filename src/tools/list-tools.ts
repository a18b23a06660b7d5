import { z } from 'zod';
import { isRecord } from '../text.ts';
import type { Tool } from './tool.ts';

interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: { readonly type: 'object' };
  readonly outputSchema: { readonly type: 'object' };
  readonly annotations: Tool['hints'];
}

const built = new WeakMap<readonly Tool[], ListedTool[]>();

/** Tools as tools/list shows them: built once, the same bytes every time. */
export function listTools(tools: readonly Tool[]): ListedTool[] {
  const listed =
    built.get(tools) ??
    tools.map(({ name, title, description, input, output, hints }) => ({
      name,
      title,
      description,
      inputSchema: schemaOf(input),
      outputSchema: schemaOf(output),
      annotations: hints,
    }));
  built.set(tools, listed);
  return listed;
}

/** A schema without what costs tokens and says nothing. */
export function schemaOf(schema: z.ZodObject): { type: 'object' } {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (isRecord(jsonSchema.additionalProperties) && Object.keys(jsonSchema.additionalProperties).length === 0)
        delete jsonSchema.additionalProperties;
      if (isRecord(jsonSchema.items) && Object.keys(jsonSchema.items).length === 0) delete jsonSchema.items;
      if (jsonSchema.properties && Object.keys(jsonSchema.properties).length === 0) delete jsonSchema.properties;
    },
  });
  return { ...json, type: 'object' };
}
