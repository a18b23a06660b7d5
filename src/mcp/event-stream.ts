/** Proxies close a connection on which nothing comes for a minute or so. */
const KEEP_ALIVE_MS = 15_000;

/** A response in which `run` sends messages one by one, as an event stream that ends with `run`. */
export function eventStream(run: (send: (message: object) => void) => Promise<void>): Response {
  const encoder = new TextEncoder();
  let isOpen = true;
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const write = (text: string): void => {
        if (isOpen) controller.enqueue(encoder.encode(text));
      };
      const timer = setInterval(() => write(': keep-alive\n\n'), KEEP_ALIVE_MS);
      await run((message) => write(`event: message\ndata: ${JSON.stringify(message)}\n\n`));
      clearInterval(timer);
      if (isOpen) controller.close();
    },
    cancel() {
      isOpen = false;
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } });
}
