import { describe, expect, it } from 'vitest';
import { kindOf } from '../../support/answers.ts';
import { notifyWith, seed } from './fixture.ts';

describe('Duplicates at Notify, which cannot search for them', () => {
  const plain = notifyWith();

  it.each([
    ['HRB 12345', '12345'],
    ['12345', 'HRB12345'],
    ['012.34567', '1234567'],
  ])('are found by the registration number %s for %s', async (stored, given) => {
    seed(plain.provider, { name: 'Registered', registrationNumber: stored });
    const answer = await plain.call('create_customer', { Name: 'Another name', RegistrationNumber: given });
    expect(kindOf(answer), answer.text).toBe('possible_duplicate');
  });

  it.each(['🌸🌸', '&&&'])('are found by a name of signs only: %s', async (name) => {
    seed(plain.provider, { name });
    const answer = await plain.call('create_customer', { Name: name });
    expect(kindOf(answer), answer.text).toBe('possible_duplicate');
  });
});
