import { readFileSync, writeFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isRecord } from '../../src/text.ts';
import { connect } from '../support/client.ts';
import { parsed, SANDBOX } from '../support/process.ts';
import { kits } from '../support/providers.ts';
import { toolsOf } from '../support/snapshots.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a converter refuses in a schema; empty if it takes the schema. */
type Converter = (schema: Json, name: string) => readonly string[];

const SNAPSHOT = new URL('converters.json', import.meta.url);
const UPDATE = process.env['UPDATE_SNAPSHOTS'] === '1';

/** AJV documentation, "Strict mode": unknown keywords and formats, ignored keywords and overlapping types are refused. */
const ajv: Converter = (schema) =>
  refusals(() =>
    new Ajv({ strict: true, strictTypes: true, strictTuples: true, strictRequired: true }).compile(schema),
  );

/** zod documentation, "JSON Schema", `z.fromJSONSchema()`: what zod cannot represent is refused. */
const zod: Converter = (schema) => refusals(() => z.fromJSONSchema(fromJson(schema)));

/**
 * OpenAI's page "Structured model outputs", section "Supported schemas". It wants every property to be required; converters to
 * strict mode make an optional one required and nullable, so optional properties are not refused here.
 */
const openai: Converter = (schema) => [
  // It says: the root is an object, and no anyOf.
  ...(schema['type'] === 'object' ? [] : ['the root is no object']),
  ...partsOf(schema).flatMap(({ path, part, depth }) => [
    // It says: additionalProperties is false in every object.
    ...(part['type'] === 'object' && part['additionalProperties'] !== false ? [`${path}: an open object`] : []),
    // It lists the types: string, number, boolean, integer, object, array, enum, anyOf.
    ...(typeof part['type'] === 'string' ? [] : [`${path}: no type`]),
    // It says that composition, conditions and dependencies are not supported.
    ...Object.keys(part).filter((key) => /^(allOf|oneOf|not|dependent|if|then|else|patternProperties)/.test(key)),
    // It allows ten levels of nesting.
    ...(depth > 10 ? [`${path}: nested too deeply`] : []),
    // It lists these formats of strings.
    ...formatsOf(part, /^(date-time|time|date|duration|email|hostname|ipv[46]|uuid)$/, path),
  ]),
  // It allows 5000 properties and 1000 enum values in a schema.
  ...(partsOf(schema).length > 5000 ? ['too many properties'] : []),
  ...(choicesOf(schema) > 1000 ? ['too many choices'] : []),
];

/** The fields that Google's page "Schema" of the Gemini API reference lists, a subset of OpenAPI 3.0. */
const GEMINI_FIELDS = [
  'type format title description nullable enum maxItems minItems properties required minProperties maxProperties',
  'minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum',
].flatMap((line) => line.split(' '));

/** The parameters of a function declaration. `additionalProperties` is no field of theirs, and converters drop it. */
const gemini: Converter = (schema, name) => [
  // "FunctionDeclaration" says: a letter or an underscore, then letters, digits, underscores, dots and dashes, at most 64.
  ...(/^[a-z_][\w.-]{0,63}$/i.test(name) ? [] : ['the name']),
  ...partsOf(schema).flatMap(({ path, part }) => [
    ...Object.keys(part)
      .filter((key) => key !== 'additionalProperties' && !GEMINI_FIELDS.includes(key))
      .map((key) => `${path}: ${key}`),
    // "Schema" says: the type is required.
    ...(typeof part['type'] === 'string' ? [] : [`${path}: no type`]),
    // The API has refused an array without items as "missing field".
    ...(part['type'] === 'array' && !isRecord(part['items']) ? [`${path}: no items`] : []),
    // The API has refused an object without properties as "should be non-empty for OBJECT type".
    ...(part['type'] === 'object' && !isRecord(part['properties']) ? [`${path}: no properties`] : []),
    // The API has answered "only 'enum' and 'date-time' are supported for STRING type" (google-gemini/gemini-cli#2237).
    ...formatsOf(part, /^(enum|date-time)$/, path),
    // "Schema" says: the values of an enum are strings.
    ...(Array.isArray(part['enum']) && !part['enum'].every((one) => typeof one === 'string') ? [`${path}: enum`] : []),
  ]),
  // "FunctionDeclaration" says of a parameter's name: a letter or an underscore, then letters, digits and underscores, at most 64.
  ...Object.keys(isRecord(schema['properties']) ? schema['properties'] : {}).filter(
    (parameter) => !/^[a-z_]\w{0,63}$/i.test(parameter),
  ),
];

const OF_INPUTS = { ajv, zod, openai, gemini };
/** No model API is given the schema of an answer. */
const OF_OUTPUTS = { ajv, zod };

describe.each(kits)('the schemas of $title', async ({ name: provider }) => {
  const connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: provider });
  const { tools } = await connection.client.listTools();
  await connection.close();

  it('are those of every tool', () => {
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining([...toolsOf(provider)]));
  });

  it.each(tools)('state for $name what an array contains and that an open object is open', ({ inputSchema }) => {
    const vague = partsOf(inputSchema).filter(
      ({ part }) =>
        (part['type'] === 'array' && !isRecord(part['items'])) ||
        (part['type'] === 'object' && typeof part['additionalProperties'] !== 'boolean'),
    );
    expect(vague.map(({ path }) => path)).toEqual([]);
  });

  it('keep the fields of a row when zod reads them', () => {
    const rows = [{ name: 'Acme', nested: { kept: true } }];
    const schema = tools.find(({ name }) => name === 'import_customers')?.inputSchema ?? {};
    expect(z.fromJSONSchema(fromJson(schema)).parse({ rows })).toEqual({ rows });
  });

  it('are refused by these converters for these reasons; UPDATE_SNAPSHOTS=1 accepts a change', async () => {
    const found = Object.fromEntries(
      tools.map(({ name, inputSchema, outputSchema = {} }) => [
        name,
        { input: verdicts(OF_INPUTS, inputSchema, name), output: verdicts(OF_OUTPUTS, outputSchema, name) },
      ]),
    );
    const kept = parsed(readFileSync(SNAPSHOT, 'utf8'));
    if (UPDATE) await write({ ...(isRecord(kept) ? kept : {}), [provider]: found });
    else expect(found).toEqual(isRecord(kept) ? kept[provider] : undefined);
  });
});

/** For each converter whether it takes the schema, or why it does not. */
function verdicts(converters: Readonly<Record<string, Converter>>, schema: Json, name: string): Json {
  return Object.fromEntries(
    Object.entries(converters).map(([title, converter]) => {
      const reasons = converter(schema, name);
      return [title, reasons.length === 0 ? 'passes' : reasons];
    }),
  );
}

async function write(snapshot: Json): Promise<void> {
  const style = await resolveConfig(SNAPSHOT);
  writeFileSync(SNAPSHOT, await format(JSON.stringify(snapshot), { ...style, parser: 'json' }));
}

/** The schema and every schema within it. */
function partsOf(schema: Json, path = '', depth = 1): { path: string; part: Json; depth: number }[] {
  const properties = Object.entries(isRecord(schema['properties']) ? schema['properties'] : {});
  const within = [...properties, ['items', schema['items']] as const];
  return [
    { path: path || 'root', part: schema, depth },
    ...within.flatMap(([name, part]) =>
      isRecord(part) ? partsOf(part, path === '' ? name : `${path}.${name}`, depth + 1) : [],
    ),
  ];
}

function formatsOf({ format: stated }: Json, known: RegExp, path: string): string[] {
  return typeof stated !== 'string' || known.test(stated) ? [] : [`${path}: format ${stated}`];
}

function choicesOf(schema: Json): number {
  return partsOf(schema).reduce((sum, { part }) => sum + (Array.isArray(part['enum']) ? part['enum'].length : 0), 0);
}

function refusals(convert: () => unknown): string[] {
  try {
    convert();
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** A copy in zod's own type of a JSON Schema. */
function fromJson(schema: Json): Parameters<typeof z.fromJSONSchema>[0] {
  return JSON.parse(JSON.stringify(schema));
}
