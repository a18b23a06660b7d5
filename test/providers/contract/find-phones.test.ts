import { beforeEach, describe, expect, it } from 'vitest';
import { kits } from '../../support/providers.ts';
import { openScene, openServer, rowsOf } from './scene.ts';

const NAMES = 'Acker Bolt Cone Duke Echo Fern Gold Hemp Iris Jade Kale Lime'.split(' ');

describe.each(kits)('find by phone number at $title', (kit) => {
  const scene = openScene(kit);
  const server = openServer(scene);
  const phones = new Map<unknown, string>();
  beforeEach(() => phones.clear());

  async function store(...stored: readonly string[]): Promise<void> {
    for (const phone of stored) {
      const name = NAMES[phones.size] ?? expect.unreachable();
      phones.set(name, phone);
      const one = { ...kit.minimal(name, `${name}@phone.example`), ...kit.findable(phone, 'Utrecht') };
      await scene.call('create_customer', one, server());
    }
  }

  /** The phone numbers of what is found, each with its score. */
  async function found(find: string): Promise<Record<string, unknown>> {
    const { data } = await scene.call('search_customer', { find }, server());
    return Object.fromEntries(
      rowsOf(data).map(({ customer, score }) => [phones.get(Object(customer)[kit.nameField.stored]), score]),
    );
  }

  it('finds a number in every notation of its country', async () => {
    const notations: Readonly<Record<string, readonly string[]>> = {
      '+31 30 123 45 67': ['0031 30 1234567', '+31 (0)30 1234567', '31 (0)30-1234567', '(+31) 301234567'],
      '+49 30 901820': ['0049 30 901820', '+49 (0)30 90 18 20', '+49 030 901820', '+49/30/901820'],
      '+32 2 123 45 67': ['0032 2 1234567', '+32 (0)2 123.45.67', '+32 ( 0 ) 2 1234567'],
      '+44 20 7946 0958': ['+44 (0)20 7946 0958', '0044 20 79460958', '+44 020 7946 0958', '44 (0)20 7946 0958'],
      '+33 1 23 45 67 89': ['0033123456789', '+33 (0)1 23 45 67 89', '+33 (0) 1.23.45.67.89'],
      '+1 555 234 5678': ['001 555 234 5678', '+1 (555) 234-5678', '+1 555 234 5678 ext. 12'],
      '0181 946 0958': ['(0181) 946 0958', '0181–946–0958', '(0)181 946 0958', 'tel. 0181 9460958'],
      '(415) 876-5432 x123': ['415-876-5432', '415.876.5432 ext 123', '4158765432, extension 7'],
    };
    await store(...Object.keys(notations));
    for (const [stored, spellings] of Object.entries(notations))
      for (const typed of spellings) expect(await found(typed), typed).toEqual({ [stored]: 1 });
    for (const typed of ['31301234567', '4930901820', '3221234567', '1-555-234-5678'])
      expect(Object.values(await found(typed)), typed).toEqual([0.95]);
  });

  it('takes a number of an unknown country for similar, not for the same', async () => {
    const pairs: Readonly<Record<string, string>> = {
      '+31 30 123 45 67': '030-1234567',
      '+49 20 2345678': '020-2345678',
      '+32 2 345 67 89': '02 345 67 89',
      '+44 (0)20 7946 0958': '020 7946 0958',
      '+33 1 45 67 89 01': '01.45.67.89.01',
      '+39 06 5678 9012': '06 5678 9012',
      '+1 555 678 9012': '(555) 678-9012',
      '+45 78 90 12 34': '78901234',
      '040 8901234': '31408901234',
      '+31 50 901 23 45': '901 23 45',
      '020 5550123': '5550123',
    };
    await store(...Object.keys(pairs));
    for (const [stored, typed] of Object.entries(pairs)) expect(await found(typed), typed).toEqual({ [stored]: 0.79 });
    await store('070-3334444');
    expect(await found('+31 70 3334444')).toEqual({ '070-3334444': 0.79 });
  });

  it('takes numbers that only end alike for different', async () => {
    const pairs: Readonly<Record<string, string>> = {
      '+49 20 1234567': '+31 20 1234567',
      '+44 1202 555 0123': '+1 202 555 0123',
      '0320 2345678': '020 2345678',
      '+20 3 456 7890': '020 3456 7890',
      '+49 20 4567890': '0320 4567890',
      '+31 20 5678901': '020 5678902',
    };
    await store(...Object.keys(pairs));
    for (const typed of Object.values(pairs)) expect(await found(typed), typed).toEqual({});
  });

  it('reads a number without a country code as one of the country that most customers have', async () => {
    await store(
      '+31 20 1234567',
      '+31 30 1234567',
      '+31 40 1234567',
      '020 7654321',
      '+49 20 1234567',
      '+49 20 7654321',
    );
    expect(await found('020-1234567')).toEqual({ '+31 20 1234567': 0.95, '+49 20 1234567': 0.79 });
    expect(await found('+31 20 7654321')).toEqual({ '020 7654321': 0.95 });
    expect(await found('+49 20 7654321')).toEqual({ '+49 20 7654321': 1, '020 7654321': 0.79 });
  });
});
