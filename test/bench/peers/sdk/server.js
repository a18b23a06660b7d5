import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import * as undici from 'undici';
import { z } from 'zod';
import { layerTools } from '../layer-tools.js';

const tools = layerTools(z, undici);

/** A server of the SDK as its documentation builds one. */
export function createServer() {
  const server = new McpServer({ name: 'bare-sdk', version: '1.0.0' });
  for (const { name, description, annotations, input, run } of tools) {
    server.registerTool(name, { description, annotations, inputSchema: input }, async (args) => ({
      content: [{ type: 'text', text: await run(args) }],
    }));
  }
  return server;
}
