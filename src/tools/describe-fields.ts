import { isRecord } from '../text.ts';

/** One field of a schema, described as text. */
export interface FieldText {
  readonly field: string;
  readonly required: boolean;
  readonly meaning: string;
  /** As in JSON Schema. */
  readonly type: string;
  /** Type, format, choices and limits; empty for any text. */
  readonly rule: string;
}

/** Each field with its meaning and its limits, from the schema that clients get. */
export function describeFields(schema: object): readonly FieldText[] {
  const { properties, required }: { properties?: unknown; required?: unknown } = schema;
  return Object.entries(isRecord(properties) ? properties : {}).map(([field, value]) => {
    const { type, description, ...limits } = isRecord(value) ? value : {};
    const facts = [
      kindOf(value),
      range(limits['minLength'], limits['maxLength'], 'characters'),
      range(limits['minimum'], limits['maximum'], ''),
      range(limits['minItems'], limits['maxItems'], 'items'),
    ];
    return {
      field,
      required: Array.isArray(required) && required.includes(field),
      meaning: String(description ?? ''),
      type: String(type ?? ''),
      rule: facts.filter(Boolean).join(', '),
    };
  });
}

/** The kind of a value: its choices, its format or its type; for a list, those of its items. */
function kindOf(schema: unknown): string {
  const { type, format, enum: choices, items, properties } = isRecord(schema) ? schema : {};
  if (type === 'array') return `list of ${kindOf(items)}`;
  if (isRecord(properties)) return `{${Object.keys(properties).join(', ')}}`;
  return Array.isArray(choices) ? choices.join(' | ') : String(format ?? type ?? '');
}

function range(min: unknown, max: unknown, unit: string): string {
  if (min === undefined && max === undefined) return '';
  const text =
    min === undefined
      ? `at most ${max}`
      : max === undefined
        ? `at least ${min}`
        : min === max
          ? `${max}`
          : `${min} to ${max}`;
  return `${text} ${unit}`.trim();
}
