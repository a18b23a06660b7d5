import { isRecord } from '../text.ts';
import type { FixedResource } from './resources.ts';

// MCP Apps, version 2026-01-26: a tool can name a page in which the host shows the tool's result.
const EXTENSION = 'io.modelcontextprotocol/ui';
const MIME_TYPE = 'text/html;profile=mcp-app';
const VIEW_URI = 'ui://customers/view.html';

/** The capabilities of a client that shows views and is not otherwise known. */
export const VIEW_CAPABILITIES = { extensions: { [EXTENSION]: { mimeTypes: [MIME_TYPE] } } };

/** Whether a client announced at the handshake that it shows views. */
export function showsViews(capabilities: unknown): boolean {
  const extensions = isRecord(capabilities) ? capabilities['extensions'] : undefined;
  const own = isRecord(extensions) ? extensions[EXTENSION] : undefined;
  return isRecord(own) && Array.isArray(own['mimeTypes']) && own['mimeTypes'].includes(MIME_TYPE);
}

/** The page needs no network access, and the host draws its border. */
const MAY_NOTHING = { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] };

/**
 * The page that shows the result of any tool as a card or a table; `display` describes the fields of the documents. Every
 * client can read it, but it is listed only for clients that show views.
 */
export function viewResource(display: object): FixedResource {
  return {
    resource: {
      uri: VIEW_URI,
      name: 'view',
      title: 'Customer view',
      description: 'Shows a tool’s result to the user',
      mimeType: MIME_TYPE,
      _meta: { ui: { csp: MAY_NOTHING, prefersBorder: true } },
    },
    listedFor: showsViews,
    // Loaded when a client reads it, to keep startup fast.
    async read() {
      const { default: page } = await import('./view/view.html');
      return page.replace('{display}', () => escapeAttribute(JSON.stringify(display)));
    },
  };
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

/** The tools, each with the view for its result. The view calls no tools, so it is not allowed to. */
export function withView<T extends object>(tools: readonly T[]) {
  return tools.map((tool) => ({ ...tool, _meta: { ui: { resourceUri: VIEW_URI, visibility: ['model'] } } }));
}
