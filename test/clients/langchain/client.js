import { MultiServerMCPClient } from '@langchain/mcp-adapters';

export async function open({ stdio, url, headers }) {
  let report = () => {};
  const client = new MultiServerMCPClient({
    mcpServers: { customers: stdio ? { transport: 'stdio', ...stdio } : { transport: 'http', url, headers } },
    onProgress: (progress) => report(progress),
  });
  const tools = await client.getTools();
  return {
    tools: async () => tools.map(({ name }) => name),
    call(name, args, onProgress) {
      report = onProgress;
      return tools.find((tool) => tool.name === name).invoke(args);
    },
    close: () => client.close(),
  };
}
