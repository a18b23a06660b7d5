import { FastMCP } from 'fastmcp';
import * as undici from 'undici';
import { z } from 'zod';
import { layerTools } from '../layer-tools.js';

const server = new FastMCP({ name: 'fastmcp', version: '1.0.0' });
for (const { name, description, annotations, input, run } of layerTools(z, undici)) {
  server.addTool({ name, description, annotations, parameters: z.object(input), execute: run });
}
await server.start({ transportType: 'stdio' });
