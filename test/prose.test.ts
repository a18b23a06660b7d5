import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, it } from 'vitest';
import { isRecord } from '../src/text.ts';

/** The names under which the source accesses our own sentences: of errors, of remarks about rows, of variables, of checks. */
const PROSE = ['message', 'what', 'advice', 'reason', 'notice', 'problem', 'remedy'];
/** The same, but other values have these names too: as identifiers or members, they are sentences only where they are searched. */
const SEARCHED = { identifiers: ['meaning'], members: ['meaning', 'found'] };
const SENTENCE = /\p{L} .*\p{L}/u;
/** Methods that inspect a string, and methods of a regular expression that inspect their argument. */
const LOOKING = ['endsWith', 'includes', 'indexOf', 'lastIndexOf', 'localeCompare', 'match', 'search', 'startsWith'];
const CUTTING = ['at', 'charAt', 'matchAll', 'replace', 'replaceAll', 'slice', 'split', 'substring'];
const READING = [...LOOKING, ...CUTTING];
const MATCHING = ['test', 'exec'];

const NONE: readonly string[] = [];

type Node = Readonly<Record<string, unknown>> & { readonly type: string };

/** The lines at which one of our own sentences is parsed like data. */
function readingsIn(source: string): number[] {
  const program: unknown = parseAst(source, { lang: 'ts' });
  return nodesIn(program)
    .filter(readsProse)
    .map(({ start }) => source.slice(0, Number(start)).split('\n').length);
}

function readsProse(node: Node): boolean {
  if (node.type === 'BinaryExpression' && ['==', '===', '!=', '!=='].includes(String(node['operator']))) {
    const sides = [node['left'], node['right']];
    return sides.some(isSentence) || (sides.some((side) => isProse(side)) && sides.some(isText));
  }
  if (node.type === 'SwitchStatement') return isProse(node['discriminant']);
  if (node.type !== 'CallExpression' || !isRecord(node['callee'])) return false;
  const { object, property } = node['callee'];
  const method = isRecord(property) ? String(property['name']) : '';
  const given = Array.isArray(node['arguments']) ? node['arguments'] : [];
  return (
    (READING.includes(method) && isProse(object, SEARCHED)) ||
    ([...MATCHING, 'includes'].includes(method) && given.some((value) => isProse(value)))
  );
}

/** `message`, `error.message`, `error?.message`, and the result of a method on them. */
function isProse(value: unknown, more = { identifiers: NONE, members: NONE }): boolean {
  if (!isRecord(value)) return false;
  const { type, name, property, callee, expression } = value;
  if (type === 'Identifier') return [...PROSE, ...more.identifiers].includes(String(name));
  if (type === 'MemberExpression') return isProse(property, { ...more, identifiers: more.members });
  if (type === 'ChainExpression' || type === 'ParenthesizedExpression') return isProse(expression, more);
  return type === 'CallExpression' && isRecord(callee) && isProse(callee['object'], more);
}

function isText(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return value['type'] === 'TemplateLiteral' || (value['type'] === 'Literal' && typeof value['value'] === 'string');
}

function isSentence(value: unknown): boolean {
  return isRecord(value) && value['type'] === 'Literal' && SENTENCE.test(String(value['value']));
}

function nodesIn(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn);
  if (!isRecord(value)) return [];
  const { type } = value;
  const below = Object.values(value).flatMap(nodesIn);
  return typeof type === 'string' ? [{ ...value, type }, ...below] : below;
}

describe('our own sentences', () => {
  const src = fileURLToPath(new URL('../src', import.meta.url));
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

  it('are written for people and never parsed by the code', () => {
    const read = files.flatMap((file) =>
      readingsIn(readFileSync(join(src, file), 'utf8')).map((line) => `${file}:${line}`),
    );
    expect(files.length).toBeGreaterThan(50);
    expect(read).toEqual([]);
  });

  it.each([
    "error.message.replace(/ Check .*/, '')",
    "unknown.some(({ message }) => !message.endsWith('?'))",
    "message.startsWith('unknown argument')",
    'what.trim().split(";")',
    'error?.advice?.includes("again")',
    '/again/.test(error.message)',
    'error.what === "The store does not answer."',
    "switch (message) { case 'x': }",
    "leftOut.find(({ reason }) => reason !== 'as you asked')",
    "kind === 'as you asked'",
    'values.every((value) => meaning.includes(value))',
    'variable.meaning.includes(value)',
    "problem.startsWith('holds')",
    '/quotes/.test(notice)',
    "check.found.endsWith('open')",
    "['It responds.'].includes(remedy)",
    'what.includes(value)',
  ])('are detected in: %s', (source) => {
    expect(readingsIn(source)).toEqual([1]);
  });

  it.each([
    'error.message',
    '`${kind}: ${error.message}`',
    'lines.map((line) => line.slice(1))',
    'message === undefined',
    "meaning === 'email'",
    "found.get('email')",
    "found !== 'foreign'",
    "problem.kind === 'conflict'",
  ])('are not suspected in: %s', (source) => {
    expect(readingsIn(source)).toEqual([]);
  });
});
