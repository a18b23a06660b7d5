import { readdirSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { providers } from '../../src/providers/registry.ts';
import { kits } from '../support/providers.ts';

const FOLDER = new URL('.', import.meta.url);

describe('the suite', () => {
  it('has a kit with the same name and title for each registered provider', () => {
    expect(kits.map(({ name, title }) => ({ name, title }))).toEqual(
      providers.map(({ name, title }) => ({ name, title })),
    );
  });

  it('has a folder of tests for each registered provider, and for no other', () => {
    const folders = readdirSync(FOLDER).filter((name) => statSync(new URL(name, FOLDER)).isDirectory());
    expect(folders.toSorted()).toEqual(['contract', ...providers.map(({ name }) => name)].toSorted());
  });
});
