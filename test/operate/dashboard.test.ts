import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import { greetedServer } from '../support/process.ts';
import { blockIn, folder, ROOT } from './page.ts';

const Dashboard = z.looseObject({
  title: z.string(),
  uid: z.string(),
  schemaVersion: z.number(),
  templating: z.looseObject({ list: z.array(z.looseObject({ name: z.string(), type: z.string() })) }),
  panels: z.array(
    z.looseObject({
      id: z.number(),
      title: z.string(),
      gridPos: z.strictObject({ h: z.number(), w: z.number(), x: z.number(), y: z.number() }),
      targets: z.array(z.looseObject({ expr: z.string(), legendFormat: z.string() })),
    }),
  ),
});
const dashboard = Dashboard.parse(JSON.parse(readFileSync(join(ROOT, 'docs/dashboard.json'), 'utf8')));
const Metric = z.object({
  metric: z.object({ name: z.string(), unit: z.string(), attributes: z.record(z.string(), z.unknown()) }),
});

/** Labels that Prometheus adds. */
const OF_PROMETHEUS = ['instance', 'job', 'le'];
/** The units that Prometheus appends to names. */
const UNITS: Readonly<Record<string, string>> = { s: 'seconds' };
const underscored = (name: string): string => name.replaceAll('.', '_');

/** What a server emits that has answered and failed, by the names of Prometheus: each metric with its labels. */
async function emitted(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { standIn, environment } = await startDayZero();
  onTestFinished(() => standIn.close());
  const file = join(folder(), 'otel.jsonl');
  const server = await greetedServer({
    ...environment,
    CUSTOMERS_STORE: 'memory:',
    NODE_OPTIONS: `--import=${new URL('../support/otel.ts', import.meta.url).pathname}`,
    OTEL_FILE: file,
  });
  await server.request('tools/call', { name: 'search_customer', arguments: {} });
  await server.request('tools/call', { name: 'get_customer', arguments: { customer_id: 'unknown' } });
  server.child.stdin.end();
  await server.ended;
  const metrics = new Map<string, Set<string>>();
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const { data } = Metric.safeParse(JSON.parse(line));
    if (!data) continue;
    const { name, unit, attributes } = data.metric;
    const labels = [...Object.keys(attributes).map(underscored), ...OF_PROMETHEUS];
    for (const suffix of ['bucket', 'count', 'sum']) {
      const full = `${underscored(name)}_${UNITS[unit]}_${suffix}`;
      metrics.set(full, new Set([...(metrics.get(full) ?? []), ...labels]));
    }
  }
  return metrics;
}

/** The metrics in a query, each with the labels by which the query selects or groups. */
function usedIn(expr: string): { readonly metrics: readonly string[]; readonly labels: readonly string[] } {
  const metrics = [...expr.matchAll(/\b(\w+_(?:bucket|count|sum|total))\b/g)].map(([, name = '']) => name);
  const grouped = [...expr.matchAll(/\b(?:by|without) \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */));
  const selected = [...expr.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, name = '']) => name);
  return { metrics, labels: [...grouped, ...selected] };
}

describe('the queries for Prometheus', () => {
  it('use only metrics and labels that the server emits', async () => {
    const known = await emitted();
    const panels = dashboard.panels.flatMap(({ targets }) => targets);
    const queries = [...panels.map(({ expr }) => expr), ...blockIn('promql').trim().split('\n')];
    expect(queries.length).toBeGreaterThan(10);
    for (const expr of queries) {
      const { metrics, labels } = usedIn(expr);
      expect(metrics, expr).not.toEqual([]);
      for (const metric of metrics) {
        expect([...known.keys()], expr).toContain(metric);
        expect(
          labels.filter((label) => !known.get(metric)?.has(label)),
          expr,
        ).toEqual([]);
      }
      expect([...expr].filter((sign) => sign === '(').length, expr).toBe(
        [...expr].filter((sign) => sign === ')').length,
      );
    }
    for (const { expr, legendFormat } of panels)
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        expect(usedIn(expr).labels).toContain(label);
  });

  it('fill the dashboard without overlaps, with one data source to choose', () => {
    expect(dashboard.templating.list).toMatchObject([{ name: 'datasource', type: 'datasource' }]);
    const places = dashboard.panels.map(({ gridPos: { x, y } }) => `${x}/${y}`);
    expect(new Set(places).size).toBe(places.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(places.length);
    for (const signal of ['Traffic', 'Errors', 'Latency', 'Saturation'])
      expect(
        dashboard.panels.some(({ title }) => title.startsWith(signal)),
        signal,
      ).toBe(true);
  });
});
