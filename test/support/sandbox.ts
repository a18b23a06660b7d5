import { afterEach, expect } from 'vitest';
import { z } from 'zod';
import { connect, type Connection, type Environment, type ToolResult } from './client.ts';
import { SANDBOX } from './process.ts';

export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** The id of no customer. */
export const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

const Page = z.object({
  customers: z.array(
    z.object({
      customer_id: z.string(),
      external_id: z.string().optional(),
      customer: z.record(z.string(), z.unknown()),
    }),
  ),
  has_more: z.boolean(),
  next_cursor: z.string().optional(),
  total: z.number().optional(),
});

/** The customers of a search, and where they go on. */
export function pageOf(data: Record<string, unknown>): z.infer<typeof Page> {
  return Page.parse(data);
}

/** Servers with a sandbox, one at a time for the tests of a file; the last one is closed after each test. */
export function sandboxTests() {
  let connection: Connection | undefined;
  const current = (): Connection => connection ?? expect.unreachable('no server is open');
  const close = async (): Promise<void> => {
    await connection?.close();
    connection = undefined;
  };
  afterEach(close);

  const tests = {
    /** Closes the server that is open, and opens the next one. */
    async open(environment: Environment): Promise<void> {
      await close();
      connection = await connect({ ...SANDBOX, ...environment });
    },
    call: (tool: string, args: Record<string, unknown> = {}): Promise<ToolResult> => current().call(tool, args),
    async search(args: Record<string, unknown> = {}): Promise<z.infer<typeof Page>> {
      return pageOf((await tests.call('search_customer', args)).data);
    },
    /** One field of all customers that a search finds, in order. */
    async found(field: string, args: Record<string, unknown> = {}): Promise<unknown[]> {
      return (await tests.search(args)).customers.map(valueOf(field));
    },
    /** One field of every customer, page after page. */
    async allPages(field: string, limit: Record<string, number>, cursor: string): Promise<unknown[][]> {
      const pages: unknown[][] = [];
      for (let next: string | undefined = ''; next !== undefined && pages.length < 10;) {
        const page: z.infer<typeof Page> = await tests.search({ ...limit, ...(next !== '' && { [cursor]: next }) });
        pages.push(page.customers.map(valueOf(field)));
        expect(page.has_more).toBe(page.next_cursor !== undefined);
        next = page.next_cursor;
      }
      return pages;
    },
    async create(args: Record<string, unknown>): Promise<string> {
      const { data } = await tests.call('create_customer', args);
      expect(data).toMatchObject({ outcome: 'created', customer_id: expect.stringMatching(UUID) });
      return String(data['customer_id']);
    },
  };
  return tests;
}

/** A field of the document; a row has the external id beside it. */
function valueOf(field: string) {
  return ({ customer, external_id: externalId }: z.infer<typeof Page>['customers'][number]): unknown =>
    field in customer ? customer[field] : externalId;
}
