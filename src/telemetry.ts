import { setTimeout as sleep } from 'node:timers/promises';
import {
  context,
  metrics,
  propagation,
  ProxyTracerProvider,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Histogram,
  type TextMapGetter,
} from '@opentelemetry/api';

/**
 * Spans and durations for whoever registers an OpenTelemetry SDK; without one all of this does nothing. The names are those of
 * the semantic conventions, and nothing of a customer is among the attributes.
 */
export interface Operation {
  readonly name: string;
  /** On the span and on the duration. Few values each, or the metric grows without end. */
  readonly attributes: Attributes;
  /** On the span only. */
  readonly details?: Attributes;
}

/** How it ended: `error.type`, where it failed, and what is known only then. */
export interface Ending {
  readonly error?: string | undefined;
  readonly attributes?: Attributes;
}

const SCOPE = 'customers-mcp';
const FLUSH_MS = 2_000;

/** Durations in seconds, in the steps that the conventions advise. */
interface Metric {
  readonly name: string;
  readonly steps: readonly number[];
}
const MCP: Metric = {
  name: 'mcp.server.operation.duration',
  steps: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
};
const HTTP: Metric = {
  name: 'http.client.request.duration',
  steps: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
};

/** What the API gives as long as nobody has registered anything. */
const UNREGISTERED = { traces: new ProxyTracerProvider().getDelegate(), metrics: metrics.getMeterProvider() };

/** Whether anybody wants to know. Asked at each operation, for an SDK may register late; it is much cheaper than an empty span. */
function observed(): boolean {
  const traces = trace.getTracerProvider();
  return (
    (delegates(traces) ? traces.getDelegate() : traces) !== UNREGISTERED.traces ||
    metrics.getMeterProvider() !== UNREGISTERED.metrics ||
    propagation.fields().length > 0
  );
}

/**
 * An MCP request, as https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/ wants a server to show it. `meta` is its `_meta`,
 * whose trace context is the parent; what is going on around it, if anything, is linked.
 */
export function serverOperation<T>(
  operation: Operation,
  meta: unknown,
  run: () => Promise<T>,
  ending: (result: T) => Ending,
): Promise<T> {
  if (!observed()) return run();
  const ambient = context.active();
  const parent = propagation.extract(ambient, meta ?? {});
  const around = trace.getSpanContext(ambient);
  const links = parent === ambient || !around ? [] : [{ context: around }];
  return observe(SpanKind.SERVER, MCP, operation, run, ending, parent, links);
}

/**
 * Runs in the trace that a caller's HTTP headers name. Where HTTP is instrumented itself there is a span around us already,
 * which comes from those headers, and it stays.
 */
export function inTraceOf<T>(headers: Headers, run: () => T): T {
  if (!observed()) return run();
  const ambient = context.active();
  return trace.getSpanContext(ambient) ? run() : context.with(propagation.extract(ambient, headers, HEADERS), run);
}

const HEADERS: TextMapGetter<Headers> = {
  get: (headers, name) => headers.get(name) ?? undefined,
  keys: (headers) => [...headers.keys()],
};

/** Has an SDK send what it still holds, for the program is about to end. */
export async function flushTelemetry(): Promise<void> {
  const registered = trace.getTracerProvider();
  const holders = [delegates(registered) ? registered.getDelegate() : registered, metrics.getMeterProvider()];
  const flushed = Promise.allSettled(holders.filter(holds).map((holder) => holder.forceFlush()));
  // A collector that is away must not keep the program from ending.
  await Promise.race([flushed, sleep(FLUSH_MS, undefined, { ref: false })]);
}

/** What the API puts before the SDK's own. */
function delegates(provider: object): provider is { getDelegate(): object } {
  return 'getDelegate' in provider && typeof provider.getDelegate === 'function';
}

/** The SDK's providers have more than the API knows of. */
function holds(provider: object): provider is { forceFlush(): Promise<void> } {
  return 'forceFlush' in provider && typeof provider.forceFlush === 'function';
}

/** A request to a provider, as https://opentelemetry.io/docs/specs/semconv/http/ wants a client to show it. `run` gets the headers that pass the trace on. */
export function clientRequest<T>(
  operation: () => Operation,
  run: (headers: Readonly<Record<string, string>>) => Promise<T>,
  ending: (result: T) => Ending,
): Promise<T> {
  if (!observed()) return run({});
  const send = (): Promise<T> => {
    const headers: Record<string, string> = {};
    propagation.inject(context.active(), headers);
    return run(headers);
  };
  return observe(SpanKind.CLIENT, HTTP, operation(), send, ending);
}

async function observe<T>(
  kind: SpanKind,
  metric: Metric,
  { name, attributes, details }: Operation,
  run: () => Promise<T>,
  ending: (result: T) => Ending,
  parent = context.active(),
  links: { context: NonNullable<ReturnType<typeof trace.getSpanContext>> }[] = [],
): Promise<T> {
  const startedAt = performance.now();
  const span = trace
    .getTracer(SCOPE)
    .startSpan(name, { kind, attributes: { ...attributes, ...details }, links }, parent);
  const finish = ({ error, attributes: late }: Ending): void => {
    const outcome = { ...late, ...(error !== undefined && { 'error.type': error }) };
    span.setAttributes(outcome);
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
    durations(metric).record((performance.now() - startedAt) / 1_000, { ...attributes, ...outcome });
  };
  try {
    const result = await context.with(trace.setSpan(parent, span), run);
    finish(ending(result));
    return result;
  } catch (error) {
    finish({ error: error instanceof Error ? error.name : '_OTHER' });
    throw error;
  }
}

function durations({ name, steps }: Metric): Histogram {
  return metrics.getMeter(SCOPE).createHistogram(name, { unit: 's', advice: { explicitBucketBoundaries: [...steps] } });
}
