import { describe, expect, it } from 'vitest';
import { providers } from '../../src/providers/registry.ts';

describe.each(providers)('the traits of $name', ({ sandbox }) => {
  const { traits, documents, findByExternalId, findCreatedSince } = sandbox.connect('http://127.0.0.1:1', 'sandbox');

  it('agree with its methods and documents on who keeps the external ids', () => {
    const kept = traits.externalIdKeptBy === 'provider';
    expect(findByExternalId !== undefined).toBe(kept);
    expect(traits.externalIdField in documents.create.shape).toBe(kept);
    // Without a look-up by external id, a lost create can be found by nothing else.
    expect(findCreatedSince !== undefined).toBe(!kept);
  });

  it('name only arguments that its documents have', () => {
    const { limitField, externalIdFilter, nameFilter, overwriteField, clearable } = traits;
    const inSearch = [limitField, externalIdFilter, nameFilter].filter((field) => field !== undefined);
    expect(inSearch.filter((field) => !(field in documents.search.shape))).toEqual([]);
    expect(clearable.filter((field) => !(field in documents.update.shape))).toEqual([]);
    if (overwriteField !== undefined) expect(Object.keys(documents.create.shape)).toContain(overwriteField);
  });
});
