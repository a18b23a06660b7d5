import type { FieldMeaning, Provider } from '../providers/provider.ts';
import { isRecord } from '../text.ts';
import { rowSchema } from '../tools/import-rows.ts';

/** A field of the provider's create that an import can fill. */
export interface Field {
  readonly name: string;
  readonly meaning: FieldMeaning | undefined;
  /** As in JSON Schema. */
  readonly type: string;
  readonly required: boolean;
  readonly minLength: number;
  readonly maxLength: number;
  /** The permitted values; empty if any value is permitted. */
  readonly choices: readonly string[];
}

/** All fields that a row can have, the external id first. Excludes the field that permits overwriting a customer. */
export function fieldsOfProvider(provider: Provider): readonly Field[] {
  const { externalIdField, overwriteField, meanings } = provider.traits;
  const schema: { properties?: unknown; required?: unknown } = rowSchema(provider);
  const required = Array.isArray(schema.required) ? schema.required : [];
  const all = Object.entries(isRecord(schema.properties) ? schema.properties : {}).map(([name, value]): Field => {
    const { type, minLength, maxLength, enum: choices } = isRecord(value) ? value : {};
    return {
      name,
      meaning: meanings[name],
      type: String(type ?? 'string'),
      required: required.includes(name),
      minLength: typeof minLength === 'number' ? minLength : 0,
      maxLength: typeof maxLength === 'number' ? maxLength : Number.POSITIVE_INFINITY,
      choices: Array.isArray(choices) ? choices.map(String) : [],
    };
  });
  const usable = all.filter(({ name }) => name !== overwriteField);
  return usable.toSorted((a, b) => Number(b.name === externalIdField) - Number(a.name === externalIdField));
}

/** A name without case, accents, spaces and punctuation, for comparison. */
export function plainName(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}
