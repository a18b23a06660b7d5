// Loaded with `node --import`, as an operator would: registers an OpenTelemetry SDK that writes all it gets into a file.
import { appendFileSync } from 'node:fs';
import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const file = process.env['OTEL_FILE'] ?? '';
const write = (line: unknown): void => appendFileSync(file, `${JSON.stringify(line)}\n`);
const done = { code: 0 } as const;

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
// What SDKs register unless they are told otherwise.
propagation.setGlobalPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
);
trace.setGlobalTracerProvider(
  new TracerProvider({
    spanProcessors: [
      // Holds spans back for longer than any test runs, so that what is not flushed is lost.
      new BatchSpanProcessor({
        scheduledDelayMillis: 300_000,
        exporter: {
          export(spans, tell) {
            for (const span of spans) {
              const { name, kind, attributes, status, events, links, parentSpanContext } = span;
              const { traceId, spanId } = span.spanContext();
              const linked = links.map(({ context: { spanId: id } }) => id);
              const parent = parentSpanContext?.spanId;
              write({ span: { name, kind, attributes, status, events, links: linked, traceId, spanId, parent } });
            }
            tell(done);
          },
          shutdown: async () => {},
        },
      }),
    ],
  }),
);
metrics.setGlobalMeterProvider(
  new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({
        exportIntervalMillis: 300_000,
        exportTimeoutMillis: 10_000,
        exporter: {
          export({ scopeMetrics }, tell) {
            for (const { descriptor, dataPoints } of scopeMetrics.flatMap((scope) => scope.metrics))
              for (const { attributes, value } of dataPoints)
                write({ metric: { name: descriptor.name, unit: descriptor.unit, attributes, value } });
            tell(done);
          },
          selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
          forceFlush: async () => {},
          shutdown: async () => {},
        },
      }),
    ],
  }),
);
