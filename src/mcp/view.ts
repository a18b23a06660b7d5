import type { Resource, Tool } from '@modelcontextprotocol/sdk/types.js';
import { isRecord } from '../text.ts';
import type { FixedResource } from './resources.ts';

// MCP Apps, version 2026-01-26: a tool may name a page that the host shows with the tool's answer.
const EXTENSION = 'io.modelcontextprotocol/ui';
const MIME_TYPE = 'text/html;profile=mcp-app';
const VIEW_URI = 'ui://customers/view.html';

/** The host may let it reach nothing, and draws the frame around it. */
const MAY_NOTHING = { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] };
const RESOURCE: Resource = {
  uri: VIEW_URI,
  name: 'view',
  title: 'Customer view',
  description: 'Shows a tool’s answer to a person',
  mimeType: MIME_TYPE,
  _meta: { ui: { csp: MAY_NOTHING, prefersBorder: true } },
};

/** Whether a client said at the handshake that it shows views. */
export function showsViews(capabilities: unknown): boolean {
  const extensions = isRecord(capabilities) ? capabilities['extensions'] : undefined;
  const own = isRecord(extensions) ? extensions[EXTENSION] : undefined;
  return isRecord(own) && Array.isArray(own['mimeTypes']) && own['mimeTypes'].includes(MIME_TYPE);
}

/** The page that shows the answer of any tool as a card or a table. Anybody may read it, but only who shows views hears of it. */
export function viewResource(listed: () => boolean): FixedResource {
  return {
    resource: RESOURCE,
    listed,
    // Loaded when it is asked for, so that the start does not pay for it.
    read: async () => (await import('./view/view.html')).default,
  };
}

/** The tools with the view as their face. It calls none of them, so it may not either. */
export function withView(tools: readonly Tool[]): Tool[] {
  return tools.map((tool) => ({ ...tool, _meta: { ui: { resourceUri: VIEW_URI, visibility: ['model'] } } }));
}
