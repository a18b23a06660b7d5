import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

export async function open({ stdio, url, headers, answer }) {
  const client = new Client({ name: 'clients', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => answer(params));
  await client.connect(
    stdio
      ? new StdioClientTransport(stdio)
      : new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
  );
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: (name, args, onProgress) => client.callTool({ name, arguments: args }, undefined, { onprogress: onProgress }),
    close: () => client.close(),
  };
}
