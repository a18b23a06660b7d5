import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

export async function open({ stdio, url, headers, answer, variant }) {
  const client = new Client(
    { name: 'clients', version: '1' },
    { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: variant } },
  );
  client.setRequestHandler('elicitation/create', ({ params }) => answer(params));
  await client.connect(
    stdio
      ? new StdioClientTransport(stdio)
      : new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
  );
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: (name, args, onProgress) => client.callTool({ name, arguments: args }, { onprogress: onProgress }),
    close: () => client.close(),
  };
}
