import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { idOf, kindOf, messageOf } from '../support/answers.ts';
import { connect, errorOf, type Connection, type Environment } from '../support/client.ts';
import { kits } from '../support/providers.ts';
import type { StandIn } from '../support/stand-in.ts';
import { fresh, overwriting } from './cases.ts';

const YES = { result: { action: 'accept', content: { confirm: true } } };

describe.each(kits.filter(({ archive }) => archive.outcome === 'deleted'))(
  'what changes at $title while the user thinks',
  (kit) => {
    const { externalIdField, nameField, archive } = kit;
    const questions: string[] = [];
    /** What happens between each question and its answer. */
    let meanwhile: (() => unknown)[] = [];
    let standIn: StandIn;
    let environment: Environment;
    let server: Connection;

    beforeAll(async () => {
      const started = await kit.start();
      standIn = started.standIn;
      environment = started.environment;
      server = await connect(environment, {
        async onQuestion({ message }) {
          questions.push(String(message));
          await meanwhile.shift()?.();
          return YES;
        },
      });
    });
    beforeEach(() => {
      questions.length = 0;
      meanwhile = [];
    });
    afterAll(async () => {
      await server.close();
      await standIn.close();
    });

    const rename = (id: string, name: string): void => {
      standIn.customers.set(id, { ...standIn.customers.get(id), [nameField.stored]: name });
    };
    const create = async () => {
      const { id, fields } = fresh(kit);
      return { id, fields, customer_id: idOf(await server.call('create_customer', fields)) };
    };

    it('is asked about again, and the customer is deleted as it was shown last', async () => {
      const { customer_id } = await create();
      meanwhile = [() => rename(customer_id, 'Hilbert Hotels')];
      const result = await server.call('archive_customer', { customer_id });
      expect(result.data).toMatchObject({
        outcome: 'deleted',
        customer: { [nameField.stored]: 'Hilbert Hotels' },
      });
      expect(questions).toHaveLength(2);
      expect(questions[0]).not.toContain('Hilbert Hotels');
      expect(questions[1]).toContain('Hilbert Hotels');
    });

    it('each time is given up after the third question', async () => {
      const { customer_id } = await create();
      meanwhile = [1, 2, 3, 4].map((times) => () => rename(customer_id, `Hilbert Hotels ${times}`));
      const result = await server.call('archive_customer', { customer_id });
      expect(kindOf(result)).toBe('confirmation_required');
      expect(messageOf(result)).toMatch(/changed each of the 3 times/);
      expect(errorOf(result)).not.toHaveProperty('confirm');
      expect(questions).toHaveLength(3);
      expect(archive.done(standIn.customers.get(customer_id))).toBe(false);
    });

    it('may be that others delete the customer, and then it is not deleted again', async () => {
      const { customer_id } = await create();
      meanwhile = [() => server.call('archive_customer', { customer_id })];
      const result = await server.call('archive_customer', { customer_id });
      expect(['already_archived', 'not_found']).toContain(kindOf(result));
      // The other deletion asked as well.
      expect(questions).toHaveLength(2);
      expect(
        standIn.requests.filter(({ operation, path }) => operation === archive.operation && path.endsWith(customer_id)),
      ).toHaveLength(1);
    });

    it('may be that the external id moves to another customer, which is asked about', async () => {
      const { id, fields, customer_id } = await create();
      const other = await create();
      meanwhile = [
        async () => {
          if (kit.keepsExternalId) {
            const document = standIn.customers.get(customer_id) ?? {};
            standIn.customers.delete(customer_id);
            standIn.customers.set(other.customer_id, {
              ...document,
              id: other.customer_id,
              [nameField.stored]: 'Moved',
            });
          } else {
            standIn.customers.set(customer_id, { ...standIn.customers.get(customer_id), is_deleted: true });
            rename(other.customer_id, 'Moved');
            expect(
              kindOf(await server.call('link_customer', { external_id: id, customer_id: other.customer_id })),
            ).toBe('linked');
          }
        },
        () => rename(other.customer_id, 'Moved again'),
      ];
      const result = await server.call('archive_customer', { [externalIdField]: fields[externalIdField] });
      expect(questions[0]).toContain(customer_id);
      for (const question of questions.slice(1)) expect(question).toContain(other.customer_id);
      expect(questions).toHaveLength(3);
      expect(result.data).toMatchObject({ outcome: 'deleted', customer_id: other.customer_id });
    });

    it.runIf(overwriting.includes(kit))('is asked about again before the customer is overwritten', async () => {
      const { fields, customer_id } = await create();
      meanwhile = [() => rename(customer_id, 'Hilbert Hotels')];
      const args = { ...fields, [nameField.field]: 'Galois Groups', [kit.insist ?? '']: true };
      const result = await server.call('create_customer', args);
      expect(result.data).toMatchObject({
        outcome: 'updated',
        changed: { [nameField.field]: { from: 'Hilbert Hotels', to: 'Galois Groups' } },
      });
      expect(questions).toHaveLength(2);
      expect(questions[1]).toContain('Hilbert Hotels');
    });

    it.runIf(overwriting.includes(kit))('may leave nothing to overwrite, and then nothing is sent', async () => {
      const { fields, customer_id } = await create();
      meanwhile = [() => rename(customer_id, 'Galois Groups')];
      const creates = standIn.count('create');
      const args = { ...fields, [nameField.field]: 'Galois Groups', [kit.insist ?? '']: true };
      expect(kindOf(await server.call('create_customer', args))).toBe('existing');
      expect(standIn.count('create')).toBe(creates);
    });

    it('may be that a lost create turns up, which is then not sent again', async () => {
      const { fields } = fresh(kit);
      standIn.fault({ on: 'create', act: 'reset' });
      expect(kindOf(await server.call('create_customer', fields))).toBe('outcome_unknown');
      const creates = standIn.count('create');
      let id = '';
      meanwhile = [
        async () => {
          const other = await connect(environment);
          id = idOf(await other.call('create_customer', fields));
          await other.close();
        },
      ];
      const result = await server.call('create_customer', { ...fields, resend: true });
      expect(result.data).toMatchObject({ outcome: 'existing', customer_id: id });
      expect(standIn.count('create')).toBe(creates + 1);
    });
  },
);
