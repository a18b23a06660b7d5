import { isRecord } from '../text.ts';
import { describeFields } from '../tools/describe-fields.ts';
import { listTools } from '../tools/list-tools.ts';
import { runTool } from '../tools/run-tool.ts';
import type { ServerContext, Tool } from '../tools/tool.ts';
import type { InFlight } from './in-flight.ts';
import { contextFor, INTERNAL_ERROR, requiredText, RESOURCE_NOT_FOUND, RpcError, type Method } from './method.ts';

/** A resource as resources/list shows it. */
interface ListedResource {
  readonly uri: string;
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly mimeType: string;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

/** A resource with the same content for every caller. */
export interface FixedResource {
  readonly resource: ListedResource;
  /** Whether resources/list shows it to this client; absent if it always does. */
  listedFor?(clientCapabilities: unknown): boolean;
  read(): string | Promise<string>;
}

/** Customers as resources: the rest of the URI after the prefix is the argument of the reading tool. */
interface CustomerTemplate {
  readonly reader: Tool;
  readonly prefix: string;
  readonly argument: string;
  readonly template: Omit<ListedResource, 'uri'> & { readonly uriTemplate: string };
}

/** Serves the fixed resources, and customers through the reading tool if it is offered. */
export function resourceMethods(
  fixed: readonly FixedResource[],
  context: ServerContext,
  inFlight: InFlight,
): Record<string, Method> {
  const templates = customerTemplates(context);
  const read: Method = async (params, exchange) => {
    const uri = requiredText(params, 'uri');
    const known = fixed.find(({ resource }) => resource.uri === uri);
    if (known) {
      const { mimeType, _meta } = known.resource;
      return { contents: [{ uri, mimeType, text: await known.read(), ...(_meta && { _meta }) }] };
    }
    const found = templates.find(({ prefix }) => uri.startsWith(prefix));
    const id = found && decode(uri.slice(found.prefix.length));
    if (!found || !id)
      throw new RpcError(RESOURCE_NOT_FOUND, `Unknown resource ${JSON.stringify(uri.slice(0, 200))}.`, { uri });
    const { isError, text, structured } = await inFlight.track(exchange, (signal) =>
      runTool({ tool: found.reader, input: { [found.argument]: id } }, contextFor(exchange, context), {
        signal,
        ask: async () => 'unavailable',
        progress() {},
      }),
    );
    if (!isError) return { contents: [{ uri, mimeType: found.template.mimeType, text }] };
    const kind = isRecord(structured['error']) ? structured['error']['kind'] : undefined;
    throw new RpcError(kind === 'not_found' ? RESOURCE_NOT_FOUND : INTERNAL_ERROR, text, { uri });
  };
  return {
    'resources/list': (_, { clientCapabilities }) => ({
      resources: fixed
        .filter(({ listedFor }) => listedFor?.(clientCapabilities) ?? true)
        .map(({ resource }) => resource),
    }),
    'resources/templates/list': () => ({ resourceTemplates: templates.map(({ template }) => template) }),
    'resources/read': read,
  };
}

function customerTemplates({ tools, provider: { name, title, traits } }: ServerContext): readonly CustomerTemplate[] {
  const reader = tools.find((tool) => tool.name === 'get_customer');
  if (!reader) return [];
  const mimeType = 'application/json';
  const [byId, byExternalId] = [`customers://${name}/id/`, `customers://${name}/external-id/`];
  return [
    {
      reader,
      prefix: byId,
      argument: 'customer_id',
      template: {
        uriTemplate: `${byId}{customer_id}`,
        name: 'customer',
        title: `${title} customer by provider ID`,
        description: `One customer, by its ID in ${title}`,
        mimeType,
      },
    },
    {
      reader,
      prefix: byExternalId,
      argument: traits.externalIdField,
      template: {
        uriTemplate: `${byExternalId}{${traits.externalIdField}}`,
        name: 'customer_by_external_id',
        title: `${title} customer by your ID`,
        description: `One customer, by its ${traits.externalIdField}`,
        mimeType,
      },
    },
  ];
}

/** What each field means, its limits, and whether it is required, on one page for users and agents. */
export function fieldGuide({ tools, provider: { name, title } }: ServerContext): FixedResource {
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

function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
