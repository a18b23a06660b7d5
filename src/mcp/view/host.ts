import { isRecord } from '../../text.ts';

type Message = Readonly<Record<string, unknown>>;

/** Handlers for the host's messages. */
export interface Listeners {
  /** The result of the tool call for which this page was opened. */
  onResult(result: Message): void;
  onCancelled(reason: unknown): void;
  /** The host's theme and styles: all of them at the start, later those that change. */
  onContext(context: Message): void;
}

const PROTOCOL_VERSION = '2026-01-26';
const HELLO = 1;

/**
 * Connects the page to the host that shows it: JSON-RPC over postMessage, as MCP Apps specifies. Hand-written, because the
 * official class takes 300 kB and this page only listens.
 */
export function connectHost({ onResult, onCancelled, onContext }: Listeners): void {
  // Any parent may receive these messages, because they contain no secrets.
  const send = (message: Message): void => window.parent.postMessage({ jsonrpc: '2.0', ...message }, '*');

  const notified = (method: unknown, params: Message): void => {
    if (method === 'ui/notifications/tool-result') onResult(params);
    else if (method === 'ui/notifications/tool-cancelled') onCancelled(params['reason']);
    else if (method === 'ui/notifications/host-context-changed') onContext(params);
  };

  window.addEventListener('message', ({ source, data }) => {
    if (source !== window.parent || !isRecord(data) || data['jsonrpc'] !== '2.0') return;
    const { id, method, params, result } = data;
    if (method === undefined) {
      if (id !== HELLO) return;
      if (isRecord(result) && isRecord(result['hostContext'])) onContext(result['hostContext']);
      send({ method: 'ui/notifications/initialized', params: {} });
      reportHeight((height) => send({ method: 'ui/notifications/size-changed', params: { height } }));
    } else if (id === undefined) notified(method, isRecord(params) ? params : {});
    else if (method === 'ping' || method === 'ui/resource-teardown') send({ id, result: {} });
    else send({ id, error: { code: -32601, message: 'Method not found' } });
  });

  send({
    id: HELLO,
    method: 'ui/initialize',
    params: {
      appInfo: { name: 'customers-view', version: '1' },
      appCapabilities: { availableDisplayModes: ['inline'] },
      protocolVersion: PROTOCOL_VERSION,
    },
  });
}

/** Reports the height of the content, now and whenever it changes. The host chooses the width. */
function reportHeight(report: (height: number) => void): void {
  let last = 0;
  new ResizeObserver(() => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    if (height !== last) report(height);
    last = height;
  }).observe(document.documentElement);
}
