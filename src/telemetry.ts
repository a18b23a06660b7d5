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
  type Context,
  type Histogram,
  type Link,
  type TextMapGetter,
} from '@opentelemetry/api';

/**
 * Spans and durations for an operator who registers an OpenTelemetry SDK; without an SDK, this does nothing. The names follow
 * the semantic conventions, and the attributes contain no customer data.
 */
export interface SpanInfo {
  readonly name: string;
  /** On the span and on the duration. Each needs low cardinality, or the metric grows without limit. */
  readonly attributes: Attributes;
  /** On the span only. */
  readonly details?: Attributes;
}

/** The end of a span: `error.type` if it failed, and attributes that are known only then. */
export interface SpanEnd {
  readonly error?: string | undefined;
  readonly attributes?: Attributes;
}

const SCOPE = 'customers-mcp';
/** https://www.w3.org/TR/trace-context/ */
const TRACE_CONTEXT: readonly string[] = ['traceparent', 'tracestate'];
const FLUSH_MS = 2_000;

/** Durations in seconds, with the bucket boundaries that the conventions recommend. */
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

/** What the API returns as long as no SDK is registered. */
const UNREGISTERED = { traces: new ProxyTracerProvider().getDelegate(), metrics: metrics.getMeterProvider() };

/**
 * Whether an OpenTelemetry SDK is registered. Checked at each operation, because an SDK may register late; much cheaper than an
 * empty span.
 */
function isRegistered(): boolean {
  const traces = trace.getTracerProvider();
  return (
    (isProxy(traces) ? traces.getDelegate() : traces) !== UNREGISTERED.traces ||
    metrics.getMeterProvider() !== UNREGISTERED.metrics ||
    propagation.fields().length > 0
  );
}

/**
 * An MCP request, as https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/ specifies it for servers. `meta` is its `_meta`,
 * whose trace context is the parent; a surrounding span, if any, is linked.
 */
export function serverOperation<T>(
  { meta, ...info }: SpanInfo & { readonly meta: unknown },
  run: () => Promise<T>,
  end: (result: T) => SpanEnd,
): Promise<T> {
  if (!isRegistered()) return run();
  const ambient = context.active();
  const parent = propagation.extract(ambient, meta ?? {});
  const around = trace.getSpanContext(ambient);
  const links = parent === ambient || !around ? [] : [{ context: around }];
  return observe({ kind: SpanKind.SERVER, metric: MCP, info, parent, links }, run, end);
}

/**
 * Runs in the trace of a caller's HTTP headers. If HTTP is instrumented itself, the surrounding span already comes from those
 * headers and stays the parent.
 */
export function inTraceOf<T>(headers: Headers, run: () => T): T {
  if (!isRegistered()) return run();
  const ambient = context.active();
  return trace.getSpanContext(ambient) ? run() : context.with(propagation.extract(ambient, headers, HEADERS), run);
}

const HEADERS: TextMapGetter<Headers> = {
  get: (headers, name) => headers.get(name) ?? undefined,
  keys: (headers) => [...headers.keys()],
};

/** Makes an SDK export its buffer, because the program is about to end. */
export async function flushTelemetry(): Promise<void> {
  const registered = trace.getTracerProvider();
  const providers = [isProxy(registered) ? registered.getDelegate() : registered, metrics.getMeterProvider()];
  const flushed = Promise.allSettled(providers.filter(canFlush).map((provider) => provider.forceFlush()));
  // An unreachable collector must not keep the program from ending.
  await Promise.race([flushed, sleep(FLUSH_MS, undefined, { ref: false })]);
}

/** The proxy that the API puts before the SDK's provider. */
function isProxy(provider: object): provider is { getDelegate(): object } {
  return 'getDelegate' in provider && typeof provider.getDelegate === 'function';
}

/** The SDK's providers have methods that the API does not declare. */
function canFlush(provider: object): provider is { forceFlush(): Promise<void> } {
  return 'forceFlush' in provider && typeof provider.forceFlush === 'function';
}

/**
 * A request to a provider, as https://opentelemetry.io/docs/specs/semconv/http/ specifies it for clients. `run` receives the
 * headers that propagate the trace.
 */
export function clientRequest<T>(
  info: () => SpanInfo,
  run: (headers: Readonly<Record<string, string>>) => Promise<T>,
  end: (result: T) => SpanEnd,
): Promise<T> {
  if (!isRegistered()) return run({});
  const send = (): Promise<T> => {
    const injected: Record<string, string> = {};
    propagation.inject(context.active(), injected);
    // A registered propagator may also send the caller's baggage, which the provider must not receive.
    return run(
      Object.fromEntries(Object.entries(injected).filter(([name]) => TRACE_CONTEXT.includes(name.toLowerCase()))),
    );
  };
  return observe({ kind: SpanKind.CLIENT, metric: HTTP, info: info(), parent: context.active(), links: [] }, send, end);
}

interface Observed {
  readonly kind: SpanKind;
  readonly metric: Metric;
  readonly info: SpanInfo;
  readonly parent: Context;
  readonly links: Link[];
}

async function observe<T>(
  { kind, metric, info: { name, attributes, details }, parent, links }: Observed,
  run: () => Promise<T>,
  end: (result: T) => SpanEnd,
): Promise<T> {
  const startedAt = performance.now();
  const span = trace
    .getTracer(SCOPE)
    .startSpan(name, { kind, attributes: { ...attributes, ...details }, links }, parent);
  const finish = ({ error, attributes: late }: SpanEnd): void => {
    const outcome = { ...late, ...(error !== undefined && { 'error.type': error }) };
    span.setAttributes(outcome);
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
    durations(metric).record((performance.now() - startedAt) / 1_000, { ...attributes, ...outcome });
  };
  try {
    const result = await context.with(trace.setSpan(parent, span), run);
    finish(end(result));
    return result;
  } catch (error) {
    finish({ error: typeOf(error) });
    throw error;
  }
}

/** The code of an error of JSON-RPC, as the conventions require it, or the name of any other. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER';
  return 'code' in error && typeof error.code === 'number' ? String(error.code) : error.name;
}

function durations({ name, steps }: Metric): Histogram {
  return metrics.getMeter(SCOPE).createHistogram(name, { unit: 's', advice: { explicitBucketBoundaries: [...steps] } });
}
