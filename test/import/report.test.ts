import { describe, expect, test } from 'vitest';
import { Report } from '../../src/import/report.ts';

describe('the report of an import', () => {
  test('is complete if all rows are imported, also with warnings', () => {
    const report = new Report();
    report.add({ row: 2, externalId: '1', outcome: 'created', warnings: ['Not checked for duplicates.'] });
    expect(report).toMatchObject({ isComplete: true, needsAttention: true });
  });

  test.each(['failed', 'unknown', 'not_started'] as const)('is not complete with a row that is %s', (outcome) => {
    const report = new Report();
    report.add({ row: 2, externalId: '1', outcome: 'created' });
    report.add({ row: 3, externalId: '2', outcome });
    expect(report).toMatchObject({ isComplete: false, needsAttention: true });
  });
});
