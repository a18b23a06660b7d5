import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';

/** An endpoint as the page shows it. */
export interface Endpoint {
  readonly url: string;
  readonly title: string;
  readonly sandbox: boolean;
}

const STYLE = `
  :root { color-scheme: light dark; --ink: light-dark(#1c2024, #e6e9ec); --quiet: light-dark(#5b6570, #9aa5b1); --line: light-dark(#d9dee3, #343b43); --box: light-dark(#f5f7f9, #1b2026); --accent: light-dark(#0b6b57, #5fd0b4); }
  body { margin: 0 auto; max-width: 46rem; padding: 3rem 1.25rem; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: light-dark(#fff, #12161a); }
  h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
  p { margin: .5rem 0; } .quiet { color: var(--quiet); }
  pre { overflow-x: auto; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: 8px; background: var(--box); font: 13px/1.5 ui-monospace, monospace; }
  .sandbox { border-left: 3px solid var(--accent); padding-left: .75rem; }
`;

/** The style source that a Content-Security-Policy must allow for the page. */
export const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;

/** For a user who opens the server in a browser: what it is and how to connect. Contains no token and no customer data. */
export function page(endpoints: readonly Endpoint[], version: string, oauth: boolean) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>customers-mcp</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <h1>customers-mcp</h1>
        <p class="quiet">Version ${version}</p>
        <p>
          This MCP server gives AI assistants tools to search, create, change and archive the customers of an invoicing
          system. It is made for assistants, not for browsers.
        </p>
        ${endpoints.map(section)}
        <h2>Connect</h2>
        <p>
          ${
            oauth
              ? 'Your client will ask you to sign in.'
              : "Replace YOUR_TOKEN with the token that you get from the server's operator."
          }
        </p>
        ${recipes(endpoints[0]?.url ?? '', oauth).map(
          ([title, text]) =>
            html`<h2>${title}</h2>
              <pre>${text}</pre>`,
        )}
      </body>
    </html>`;
}

function section({ url, title, sandbox }: Endpoint) {
  const note = html`<p class="sandbox">
    Sandbox: ${title} is simulated on this machine. Nothing real is read or changed.
  </p>`;
  return html`<h2>${title}</h2>
    <pre>${url}</pre>
    ${sandbox ? note : ''}`;
}

/** How to connect a client: its name, and a command or an entry for its configuration. */
function recipes(url: string, oauth: boolean): readonly (readonly [title: string, text: string])[] {
  const name = 'customers';
  const headers = oauth ? {} : { headers: { Authorization: 'Bearer YOUR_TOKEN' } };
  const header = oauth ? '' : ' --header "Authorization: Bearer YOUR_TOKEN"';
  const entry = (key: string, type: object): string =>
    JSON.stringify({ [key]: { [name]: { ...type, url, ...headers } } }, undefined, 2);
  return [
    ['Claude Code', `claude mcp add --transport http ${name} ${url}${header}`],
    ['Cursor: ~/.cursor/mcp.json', entry('mcpServers', {})],
    ['VS Code: .vscode/mcp.json', entry('servers', { type: 'http' })],
    ['MCP Inspector', `npx @modelcontextprotocol/inspector --cli ${url} --transport http${header} --method tools/list`],
  ];
}
