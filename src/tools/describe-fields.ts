import { isRecord } from '../text.ts';

/** One field of a schema, in words. */
export interface FieldText {
  readonly field: string;
  readonly required: boolean;
  readonly meaning: string;
  /** As in JSON Schema. */
  readonly type: string;
  /** Type, format, choices and limits; empty when it is any text. */
  readonly rule: string;
}

/** Each field with its meaning and its limits, from the very schema that clients get. */
export function describeFields(schema: object): readonly FieldText[] {
  const { properties, required }: { properties?: unknown; required?: unknown } = schema;
  return Object.entries(isRecord(properties) ? properties : {}).map(([field, value]) => {
    const { type, format, enum: choices, description, ...limits } = isRecord(value) ? value : {};
    const facts = [
      Array.isArray(choices) ? choices.join(' | ') : String(format ?? type ?? ''),
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

function range(least: unknown, most: unknown, unit: string): string {
  if (least === undefined && most === undefined) return '';
  const text =
    least === undefined
      ? `at most ${most}`
      : most === undefined
        ? `at least ${least}`
        : least === most
          ? `${most}`
          : `${least} to ${most}`;
  return `${text} ${unit}`.trim();
}
