// A model for the hosts, on loopback: it speaks the APIs of Anthropic, OpenAI and Google, and what it says is the script. It sees
// of the tools and their results what a real model would.
import { createServer } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { isRecord } from '../../src/text.ts';
import { parsed } from '../support/process.ts';
import { confirmation, CREATE, customerId, deletion, IMPORT, MISTAKE, shown, type Call } from './script.ts';

type Json = Record<string, unknown>;

export interface Model {
  readonly origin: string;
  /** The names of the server's tools, as the host offers them. */
  tools(): readonly string[];
  /** What became of each call, as the host put it. */
  results(): readonly string[];
  close(): void;
}

/** A tool as the host calls it, with the namespace in which some hosts list it. */
interface Offered {
  readonly name: string;
  readonly namespace: string | undefined;
}

export async function startModel(): Promise<Model> {
  let tools: readonly Offered[] = [];
  let results: readonly string[] = [];
  const server = createServer((request, response) => {
    void textOf(request).then((body) => {
      const asked = parsed(body);
      const api = APIS.find(({ path }) => path.test(request.url ?? ''));
      if (!api || !isRecord(asked)) return response.writeHead(404).end('{}');
      const offered = offeredIn(asked['tools']);
      const found = api.results(asked).map(shown);
      // Hosts also ask for titles and summaries, without tools.
      const next = offered.some(({ name }) => name.endsWith(CREATE.tool)) ? nextCall(found) : undefined;
      if (next) [tools, results] = [offered, found];
      else if (found.length > results.length) results = found;
      const tool = next && offered.find(({ name }) => name.endsWith(next.tool));
      const isStream = asked['stream'] === true || /stream/.test(request.url ?? '');
      response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
      const events = api.events(tool && next ? { ...tool, args: next.args, at: found.length } : undefined);
      return response.end(isStream ? events.map(eventOf).join('') : JSON.stringify(events.at(0) ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    origin: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    tools: () => tools.map(({ name }) => name),
    results: () => results,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The next line of the script, after these results. */
function nextCall(results: readonly string[]): Call | undefined {
  const id = customerId(results[0] ?? '');
  const confirm = confirmation(results[2] ?? '');
  const calls = [CREATE, MISTAKE, deletion(id), ...(confirm === undefined ? [] : [deletion(id, confirm)]), IMPORT];
  return calls[results.length];
}

/** Every tool in a list, also those in the lists within it. */
function offeredIn(value: unknown, namespace?: string): Offered[] {
  if (Array.isArray(value)) return value.flatMap((item) => offeredIn(item, namespace));
  if (!isRecord(value)) return [];
  const { name, tools, function: inner, functionDeclarations } = value;
  if (tools !== undefined) return offeredIn(tools, typeof name === 'string' ? name : undefined);
  if (inner !== undefined) return offeredIn(inner, namespace);
  if (functionDeclarations !== undefined) return offeredIn(functionDeclarations, namespace);
  return typeof name === 'string' ? [{ name, namespace }] : [];
}

interface Said extends Offered {
  readonly args: Json;
  readonly at: number;
}

interface Api {
  readonly path: RegExp;
  /** The results of tools in a request. */
  results(request: Json): unknown[];
  /** A call of a tool, or the end of the conversation. */
  events(call: Said | undefined): Json[];
}

const USAGE = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };

const anthropic: Api = {
  path: /\/messages/,
  results: ({ messages }) =>
    records(messages)
      .flatMap(({ content }) => records(content))
      .filter(({ type }) => type === 'tool_result')
      .map(({ content }) => content),
  events(call) {
    const block = call
      ? { type: 'tool_use', id: `toolu_${call.at}`, name: call.name, input: {} }
      : { type: 'text', text: '' };
    const delta = call
      ? { type: 'input_json_delta', partial_json: JSON.stringify(call.args) }
      : { type: 'text_delta', text: 'Done.' };
    const stop_reason = call ? 'tool_use' : 'end_turn';
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'script', content: [], usage: USAGE };
    return [
      { type: 'message_start', message: { ...message, stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: block },
      { type: 'content_block_delta', index: 0, delta },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: USAGE },
      { type: 'message_stop' },
    ];
  },
};

const responses: Api = {
  path: /\/responses/,
  results: ({ input }) =>
    records(input)
      .filter(({ type }) => type === 'function_call_output')
      .map(({ output }) => output),
  events(call) {
    const item = call
      ? {
          type: 'function_call',
          call_id: `call_${call.at}`,
          name: call.name,
          ...(call.namespace !== undefined && { namespace: call.namespace }),
          arguments: JSON.stringify(call.args),
        }
      : { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Done.' }] };
    return [
      { type: 'response.created', response: { id: 'resp_1' } },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: { id: 'resp_1', usage: USAGE } },
    ];
  },
};

const completions: Api = {
  path: /\/chat\/completions/,
  results: ({ messages }) =>
    records(messages)
      .filter(({ role }) => role === 'tool')
      .map(({ content }) => content),
  events(call) {
    const made = call && { name: call.name, arguments: JSON.stringify(call.args) };
    const delta = call
      ? { role: 'assistant', tool_calls: [{ index: 0, id: `call_${call.at}`, type: 'function', function: made }] }
      : { role: 'assistant', content: 'Done.' };
    const chunk = { id: 'chat_1', object: 'chat.completion.chunk', created: 1, model: 'script' };
    return [
      { ...chunk, choices: [{ index: 0, delta, finish_reason: null }] },
      { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: call ? 'tool_calls' : 'stop' }] },
    ];
  },
};

const google: Api = {
  path: /generateContent/i,
  results: ({ contents }) =>
    records(contents)
      .flatMap(({ parts }) => records(parts))
      .flatMap(({ functionResponse }) => records([functionResponse]))
      .map(({ response }) => response),
  events(call) {
    const part = call ? { functionCall: { name: call.name, args: call.args } } : { text: 'Done.' };
    const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 };
    return [{ candidates: [{ content: { role: 'model', parts: [part] }, finishReason: 'STOP' }], usageMetadata }];
  },
};

const APIS = [anthropic, responses, completions, google];

function eventOf(event: Json): string {
  const { type } = event;
  return `${typeof type === 'string' ? `event: ${type}\n` : ''}data: ${JSON.stringify(event)}\n\n`;
}

function records(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}
