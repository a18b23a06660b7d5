import { startCall } from '../http-client/call.ts';
import { RowComparison } from '../tools/row-comparison.ts';
import type { ServerContext } from '../tools/tool.ts';
import { FileImport, type Output } from './file-import.ts';
import { inspect } from './inspection.ts';
import { optionOf } from './ids.ts';
import { remember } from './mapping-file.ts';
import { makePaper } from './paper.ts';
import { makePlan, type FileOptions, type Plan } from './plan.ts';
import { showInspection, showMapping, showQuestions, type Subject } from './preview.ts';
import { ResultFile } from './result-file.ts';

export interface RunOptions extends FileOptions {
  readonly dryRun: boolean;
}

/** The time limit for reading the provider's list for a preview. */
const PREVIEW_MS = 60_000;
const WIDTH = 100;

/**
 * Imports a file, or shows what an import would do.
 * @returns the exit code: 0 if all rows are or can be imported, 1 if not, 2 if the user must answer a question first.
 * @throws UsageError for a file that cannot be read and for invalid options.
 */
export async function runImport(
  file: string,
  options: RunOptions,
  { context, output }: { readonly context: ServerContext; readonly output: Output },
): Promise<number> {
  const { provider, sandbox } = context;
  const paper = makePaper(output.colors, output.stdout.columns ?? WIDTH);
  const plan = await makePlan(file, options, provider);
  const subject: Subject = { plan, provider, sandbox };
  if (plan.questions.length > 0) {
    const page = options.dryRun ? output.stdout : output.stderr;
    page.write(showMapping(subject, paper) + showQuestions(subject, paper));
    return options.dryRun ? 1 : 2;
  }
  output.stdout.write(showMapping(subject, paper));
  if (!options.dryRun) {
    // Comes first, so that an import whose results cannot be written sends nothing.
    const results = await ResultFile.open(plan.file, plan.table);
    await keepDecisions(plan, provider.name);
    return new FileImport(plan, { results, context, output }).run(paper);
  }
  await keepDecisions(plan, provider.name);
  const unfinished = `Not all ${provider.title} customers could be read within ${PREVIEW_MS / 1_000} s, so some of the new ones may exist.`;
  const comparison = await RowComparison.start(context, startCall(output.signal, PREVIEW_MS), unfinished);
  const inspection = await inspect(plan.checker, comparison);
  output.stdout.write(showInspection(subject, { inspection, warnings: comparison.warnings }, paper));
  const refused = inspection.total - inspection.sendable + inspection.duplicates.length;
  return refused === 0 ? 0 : 1;
}

/** Stores the decisions, including the source of the ids, which must not change in a later run. */
async function keepDecisions({ file, mapping, columns, options }: Plan, provider: string): Promise<boolean> {
  const id = mapping.fields[0];
  const { map, set, sheet, headerRow } = options;
  return remember(file, provider, {
    map,
    set,
    sheet,
    headerRow,
    idFrom: options.idFrom ?? (id ? optionOf(id.source, columns) : undefined),
  });
}
