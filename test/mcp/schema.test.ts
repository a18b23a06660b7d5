import { describe, expect, it } from 'vitest';
import { Conversation } from '../support/schema.ts';
import { stated } from '../support/modern.ts';

// All clients of the suite compare what they receive with the protocol's schema in this way; here it must object.
const LIST = { tools: [], ttlMs: 1, cacheScope: 'private', resultType: 'complete' };

function objectionsTo(message: unknown, request: unknown = { id: 1, method: 'tools/call' }): string[] {
  const conversation = new Conversation();
  conversation.sent(request);
  return conversation.violations(message);
}

describe("the comparison with the protocol's schema", () => {
  it.each<[what: string, message: unknown, request?: unknown]>([
    ['null for the id of an error', { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'No.' } }],
    ['an error without a message', { jsonrpc: '2.0', id: 1, error: { code: -32000 } }],
    [
      'an error without the data of its code',
      { jsonrpc: '2.0', id: 1, error: { code: -32022, message: 'No.' } },
      modern('x'),
    ],
    ['a result without content', { jsonrpc: '2.0', id: 1, result: { structuredContent: {} } }],
    ['a result of another method', { jsonrpc: '2.0', id: 1, result: { content: [] } }, { id: 1, method: 'tools/list' }],
    ['a result without a type', { jsonrpc: '2.0', id: 1, result: { tools: [] } }, modern('tools/list')],
    ['a number that is no id', { jsonrpc: '2.0', id: 1.5, result: { content: [] } }],
    ['no version of JSON-RPC', { id: 1, result: { content: [] } }],
    ['a notification that is not defined', { jsonrpc: '2.0', method: 'notifications/news' }],
    ['progress without a token', { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } }],
    ['a text', 'ready'],
  ])('objects to %s', (_, message, request) => {
    expect(objectionsTo(message, request)).not.toEqual([]);
    expect(objectionsTo([message], request)).not.toEqual([]);
  });

  it.each<[what: string, message: unknown, request?: unknown]>([
    ['an error without an id', { jsonrpc: '2.0', error: { code: -32000, message: 'No.' } }],
    [
      'an error under the fraction that was sent',
      { jsonrpc: '2.0', id: 1.5, error: { code: 1, message: 'No.' } },
      { id: 1.5 },
    ],
    ['a result of the method', { jsonrpc: '2.0', id: 1, result: { content: [] } }],
    ['a result of the other era', { jsonrpc: '2.0', id: 1, result: LIST }, modern('tools/list')],
    [
      'progress',
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p', progress: 1, total: 2 } },
    ],
  ])('accepts %s', (_, message, request) => {
    expect(objectionsTo(message, request)).toEqual([]);
  });
});

function modern(method: string): object {
  return { id: 1, method, params: stated() };
}
