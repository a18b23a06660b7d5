// A host of views in a page of its own, made of the official parts. The tests drive it through `viewHost`.
import { AppBridge, PostMessageTransport, type McpUiHostContext } from '@modelcontextprotocol/ext-apps/app-bridge';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';

let bridge: AppBridge | undefined;
const heights: number[] = [];

const viewHost = {
  heights,

  /** Embeds the view as hosts do, in a frame that may run scripts and nothing else, and waits for its handshake. */
  async open(html: string, hostContext: McpUiHostContext): Promise<unknown> {
    const frame = document.createElement('iframe');
    frame.setAttribute('sandbox', 'allow-scripts');
    document.body.replaceChildren(frame);
    if (!frame.contentWindow) throw new Error('the frame has no window');
    await bridge?.close();
    const next = new AppBridge(null, { name: 'test-host', version: '1' }, {}, { hostContext });
    next.addEventListener('sizechange', ({ height = 0 }) => {
      heights.push(height);
      frame.style.height = `${height}px`;
    });
    const initialized = new Promise<void>((resolve) => next.addEventListener('initialized', () => resolve()));
    await next.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
    frame.srcdoc = html;
    await initialized;
    bridge = next;
    return next.getAppVersion();
  },

  result: (result: CallToolResult) => bridge?.sendToolResult(result),
  cancelled: (reason: string) => bridge?.sendToolCancelled({ reason }),
  context: (context: McpUiHostContext) => bridge?.sendHostContextChange(context),
  teardown: () => bridge?.teardownResource({}),
  /** A message from a frame that is not the view's host. */
  forge(result: CallToolResult): Promise<void> {
    const message = { jsonrpc: '2.0', method: 'ui/notifications/tool-result', params: result };
    const other = document.createElement('iframe');
    const { promise, resolve } = Promise.withResolvers<void>();
    other.srcdoc = `<script>parent.frames[0].postMessage(${JSON.stringify(message)}, '*')</script>`;
    other.onload = () => resolve();
    document.body.append(other);
    return promise;
  },
};

Object.assign(globalThis, { viewHost });
