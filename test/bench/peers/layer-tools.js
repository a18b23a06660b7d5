// The tools of our server for Layer, written by hand in the usual way, for the SDK and for fastmcp. Plain JavaScript, like
// everything that the bench launches: at the start nobody pays for stripping types.

/** `z` and `undici` are the caller's, from its own node_modules. */
export function layerTools(z, { Agent, request }) {
  const dispatcher = new Agent();
  const base = `${process.env.LAYER_BASE_URL}/v1/businesses/${process.env.LAYER_BUSINESS_ID}/customers`;

  // The best case: keep-alive, nothing repeated, nothing checked but the status.
  const send = async (method, path, json) => {
    const { statusCode, body } = await request(base + path, {
      dispatcher,
      method,
      headers: {
        authorization: `Bearer ${process.env.LAYER_ACCESS_TOKEN}`,
        accept: 'application/json',
        ...(json && { 'content-type': 'application/json' }),
      },
      ...(json && { body: JSON.stringify(json) }),
    });
    const answer = await body.json();
    if (statusCode >= 400) throw new Error(`Layer answered ${statusCode}`);
    return JSON.stringify(answer.data);
  };

  const customerId = z.string().describe("Layer's ID of the customer");
  const writable = {
    external_id: z.string().optional().describe('Its ID in your system; idempotency key'),
    individual_name: z.string().optional().describe('Name of the person or contact'),
    company_name: z.string().optional().describe('Name of the company'),
    email: z.string().optional().describe('Email address'),
    mobile_phone: z.string().optional().describe('Mobile phone number'),
    office_phone: z.string().optional().describe('Office phone number'),
    address_string: z.string().optional().describe('Full address'),
    notes: z.string().optional().describe('Notes about the customer'),
    tags: z
      .array(z.object({ key: z.string(), value: z.string() }))
      .optional()
      .describe('All its tags'),
  };
  const hints = (readOnlyHint) => ({
    readOnlyHint,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: true,
  });

  return [
    {
      name: 'search_customer',
      description: 'Finds customers by the list filters, page by page.',
      annotations: hints(true),
      input: {
        include_archived: z.boolean().optional().describe('Default false'),
        external_id: z.string().optional().describe('Exact ID in your system'),
        external_id_contains: z.string().optional().describe('Part of it, any case'),
        name: z.string().optional().describe('Exact name'),
        name_contains: z.string().optional().describe('Part of a name, any case'),
        cursor: z.string().optional().describe('Cursor of the last page'),
        limit: z.number().int().min(1).optional().describe('Page size'),
        sort_by: z.string().optional().describe('Field to sort by'),
        sort_order: z.enum(['ASC', 'DESC']).optional().describe('Default ASC'),
      },
      run: (query) => send('GET', `?${new URLSearchParams(query)}`),
    },
    {
      name: 'get_customer',
      description: 'Reads one customer by its ID.',
      annotations: hints(true),
      input: { customer_id: customerId },
      run: ({ customer_id }) => send('GET', `/${encodeURIComponent(customer_id)}`),
    },
    {
      name: 'create_customer',
      description: 'Creates a customer. The same external_id again updates that customer.',
      annotations: hints(false),
      input: writable,
      run: (document) => send('POST', '', document),
    },
    {
      name: 'update_customer',
      description: 'Replaces the fields of a customer.',
      annotations: hints(false),
      input: { customer_id: customerId, ...writable },
      run: ({ customer_id, ...document }) => send('PUT', `/${encodeURIComponent(customer_id)}`, document),
    },
    {
      name: 'archive_customer',
      description: 'Hides a customer from lists.',
      annotations: hints(false),
      input: { customer_id: customerId },
      run: ({ customer_id }) => send('POST', `/${encodeURIComponent(customer_id)}/archive`),
    },
    {
      name: 'restore_customer',
      description: 'Undoes archiving.',
      annotations: hints(false),
      input: { customer_id: customerId },
      run: ({ customer_id }) => send('POST', `/${encodeURIComponent(customer_id)}/unarchive`),
    },
    {
      name: 'import_customers',
      description: 'Creates many customers, one after the other.',
      annotations: hints(false),
      input: { rows: z.array(z.looseObject({})).min(1).max(500).describe('Fields as in create_customer') },
      run: async ({ rows }) => {
        const created = [];
        for (const row of rows) created.push(JSON.parse(await send('POST', '', row)));
        return JSON.stringify(created);
      },
    },
  ];
}
