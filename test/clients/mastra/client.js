import { MCPClient } from '@mastra/mcp';

export async function open({ stdio, url, headers, answer }) {
  let report = () => {};
  const client = new MCPClient({
    servers: {
      customers: {
        ...(stdio ?? { url: new URL(url), requestInit: { headers } }),
        inputRequests: async ({ params }) => answer(params),
        enableProgressTracking: true,
      },
    },
  });
  await client.progress.onUpdate('customers', (progress) => report(progress));
  const tools = await client.listTools();
  return {
    tools: async () => Object.keys(tools).map((name) => name.replace(/^customers_/, '')),
    call(name, args, onProgress) {
      report = onProgress;
      return tools[`customers_${name}`].execute(args, {});
    },
    close: () => client.disconnect(),
  };
}
