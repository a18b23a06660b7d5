import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  ErrorCode,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  type Resource,
  type ResourceTemplate,
} from '@modelcontextprotocol/sdk/types.js';
import { isRecord } from '../text.ts';
import { describeFields } from '../tools/describe-fields.ts';
import { listTools } from '../tools/list-tools.ts';
import { runTool, type Answer, type Desk } from '../tools/run-tool.ts';
import type { Tool } from '../tools/tool.ts';
import type { Running } from './running.ts';

const RESOURCE_NOT_FOUND = -32002;

/** A resource that is the same for every caller. */
export interface FixedResource {
  readonly resource: Resource;
  /** Whether this client is told of it. Absent: always. */
  listed?(): boolean;
  read(): string | Promise<string>;
}

/** Customers as resources: the last part of the address is the argument by which `get_customer` finds one. */
interface CustomerTemplate {
  readonly template: ResourceTemplate;
  readonly argument: string;
}

function customerTemplates({ provider: { name, title, traits } }: Desk): readonly CustomerTemplate[] {
  const mimeType = 'application/json';
  return [
    {
      argument: 'customer_id',
      template: {
        uriTemplate: `customers://${name}/id/{customer_id}`,
        name: 'customer',
        title: `${title} customer by its id`,
        description: `One customer, by ${title}'s own id`,
        mimeType,
      },
    },
    {
      argument: traits.externalIdField,
      template: {
        uriTemplate: `customers://${name}/external-id/{${traits.externalIdField}}`,
        name: 'customer_by_external_id',
        title: `${title} customer by your id`,
        description: `One customer, by its ${traits.externalIdField}`,
        mimeType,
      },
    },
  ];
}

/** What each field means, its limits, and which are required, for people and agents who want to read it in one go. */
export function fieldGuide(tools: readonly Tool[], { provider: { name, title } }: Desk): FixedResource {
  return {
    resource: {
      uri: `customers://${name}/fields`,
      name: 'field_guide',
      title: `${title}'s customer fields`,
      description: 'What each field means, its limits, and which are required',
      mimeType: 'text/markdown',
    },
    read: () =>
      [
        `# ${title}'s customer fields`,
        ...listTools(tools).map(({ name: tool, description, inputSchema }) => {
          const rows = describeFields(inputSchema).map(
            ({ field, required, meaning, rule }) =>
              `| \`${field}\` | ${required ? 'yes' : ''} | ${cell(meaning)} | ${cell(rule)} |`,
          );
          const table = ['| Field | Required | Meaning | Rule |', '|---|---|---|---|', ...rows];
          return [`## ${tool}`, '', description, '', ...table].join('\n');
        }),
      ].join('\n\n'),
  };
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** Serves the fixed resources, and customers through the reading tool, where that is offered. */
export function serveResources(
  server: Server,
  fixed: readonly FixedResource[],
  tools: readonly Tool[],
  desk: Desk,
  running: Running,
): void {
  const reader = tools.find(({ name }) => name === 'get_customer');
  const templates = reader ? customerTemplates(desk) : [];

  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: fixed.filter(({ listed }) => listed?.() ?? true).map(({ resource }) => resource),
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: templates.map(({ template }) => template),
  }));

  server.setRequestHandler(ReadResourceRequestSchema, async ({ params: { uri } }, { signal }) => {
    const known = fixed.find(({ resource }) => resource.uri === uri);
    if (known) {
      const { mimeType, _meta } = known.resource;
      return { contents: [{ uri, mimeType, text: await known.read(), ...(_meta && { _meta }) }] };
    }
    const found = templates.find(({ template }) => uri.startsWith(prefixOf(template)));
    const id = found && decode(uri.slice(prefixOf(found.template).length));
    if (!reader || !found || !id)
      throw new McpError(RESOURCE_NOT_FOUND, `There is no resource ${JSON.stringify(uri.slice(0, 200))}.`);
    const read = (over: AbortSignal): Promise<Answer> =>
      runTool(reader, { [found.argument]: id }, desk, { signal: over, ask: async () => 'unavailable', progress() {} });
    const { isError, text, structured } = await running.run(signal, read);
    if (!isError) return { contents: [{ uri, mimeType: found.template.mimeType, text }] };
    const kind = isRecord(structured['error']) ? structured['error']['kind'] : undefined;
    throw new McpError(kind === 'not_found' ? RESOURCE_NOT_FOUND : ErrorCode.InternalError, text);
  });
}

/** What stands before the variable, which is the last part of each template. */
function prefixOf({ uriTemplate }: ResourceTemplate): string {
  return uriTemplate.slice(0, uriTemplate.indexOf('{'));
}

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
