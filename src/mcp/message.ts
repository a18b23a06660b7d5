import { isRecord } from '../text.ts';
import { INVALID_PARAMS, INVALID_REQUEST, isRequestId, RpcError } from './method.ts';

/** A message of JSON-RPC: a request, a notification, or the answer to one of the server's requests. */
export type Frame = Readonly<Record<string, unknown>>;

const OF_CALLS: readonly string[] = ['jsonrpc', 'id', 'method', 'params'];
const OF_ANSWERS: readonly string[] = ['jsonrpc', 'id', 'result', 'error'];
const RELATED_TASK = 'io.modelcontextprotocol/related-task';

/**
 * A message as the protocol would have it: without members that it does not define, without `null` for what is absent, as some clients
 * write it, and without what asks for a task. The SDK would not answer such messages, and a server without tasks "MUST process
 * requests of that type normally, ignoring any task-augmentation metadata if present".
 * https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/tasks
 */
export function tidied(message: Frame): Frame {
  const members = isAnswer(message) ? OF_ANSWERS : OF_CALLS;
  const kept = without(message, (name, value) => !members.includes(name) || (name === 'params' && value === null));
  const { params } = kept;
  if (!isRecord(params)) return kept;
  const others = without(
    params,
    (name, value) => name === 'task' || (value === null && (name === 'cursor' || name === '_meta')),
  );
  const { _meta: given } = others;
  const _meta = isRecord(given)
    ? without(given, (name, value) => name === RELATED_TASK || (name === 'progressToken' && value === null))
    : given;
  if (_meta !== given) return { ...kept, params: { ...others, _meta } };
  return others === params ? kept : { ...kept, params: others };
}

/** The same object if there is nothing to drop, as nearly always. */
function without(record: Frame, isDropped: (name: string, value: unknown) => boolean): Frame {
  for (const dropped in record)
    if (isDropped(dropped, record[dropped]))
      return Object.fromEntries(Object.entries(record).filter(([name, value]) => !isDropped(name, value)));
  return record;
}

/** Whether a message answers a request of the server. */
export function isAnswer(message: Frame): boolean {
  return message['method'] === undefined && ('result' in message || 'error' in message);
}

/** What is wrong with a tidied message as a request or a notification, before anything of its method is considered. */
export function faultIn(message: Frame): RpcError | undefined {
  const { jsonrpc, id, method, params = {} } = message;
  if (jsonrpc !== '2.0' || typeof method !== 'string' || !isRecord(params))
    return new RpcError(INVALID_REQUEST, 'The message is not a request of JSON-RPC 2.0.');
  if ('id' in message && !isRequestId(id))
    return new RpcError(INVALID_REQUEST, 'The id of a request must be a string or an integer.');
  const { _meta = {} } = params;
  if (!isRecord(_meta)) return new RpcError(INVALID_PARAMS, 'The member _meta must be an object.');
  const { progressToken = '' } = _meta;
  if (!isRequestId(progressToken))
    return new RpcError(INVALID_PARAMS, 'The progressToken must be a string or an integer.');
  return undefined;
}

export function paramsOf({ params }: Frame): Readonly<Record<string, unknown>> {
  return isRecord(params) ? params : {};
}

/** The metadata that a message carries. */
export function metaOf(message: Frame): Readonly<Record<string, unknown>> {
  const { _meta } = paramsOf(message);
  return isRecord(_meta) ? _meta : {};
}

/** A JSON-RPC error response. It has no id if the request has none that is valid. */
export function errorResponse(id: unknown, { code, message, data }: RpcError): object {
  return { jsonrpc: '2.0', ...(isRequestId(id) && { id }), error: { code, message, ...(data && { data }) } };
}
