import { getAllMcpTools, MCPServerStdio, MCPServerStreamableHttp, RunContext } from '@openai/agents';

export async function open({ stdio, url, headers }) {
  const server = stdio ? new MCPServerStdio(stdio) : new MCPServerStreamableHttp({ url, requestInit: { headers } });
  await server.connect();
  // With strict schemas, as the Agents SDK offers them to a model of OpenAI.
  const tools = await getAllMcpTools({ mcpServers: [server], convertSchemasToStrict: true });
  return {
    tools: async () => tools.map(({ name }) => name),
    call: (name, args) => tools.find((tool) => tool.name === name).invoke(new RunContext(), JSON.stringify(args)),
    close: () => server.close(),
  };
}
