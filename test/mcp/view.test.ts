import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getToolUiResourceUri, isToolVisibilityModelOnly } from '@modelcontextprotocol/ext-apps/app-bridge';
import { EXTENSION_ID, RESOURCE_MIME_TYPE } from '@modelcontextprotocol/ext-apps/server';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { isRecord } from '../../src/text.ts';
import { hasBrowser, launchBrowser, viewHost, type ViewHost } from '../support/browser.ts';
import { BUILT, connect } from '../support/client.ts';
import { connectOverHttp, serve, TOKEN } from '../support/http.ts';
import { SANDBOX } from '../support/process.ts';
import { kit as layer } from '../providers/layer/index.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { SHOWS_VIEWS, VIEW_URI, viewAnswers } from '../support/view-answers.ts';

const MAX_BYTES = 25_000;

/** Everything that the server lists to a client. */
async function told(client: Client) {
  const { tools } = await client.listTools();
  const { resources } = await client.listResources();
  return { tools, resources };
}

async function overStdio(extensions?: Readonly<Record<string, object>>): Promise<Client> {
  const { client, close } = await connect(SANDBOX, extensions && { extensions });
  onTestFinished(close);
  return client;
}

async function overHttp(extensions?: Readonly<Record<string, object>>): Promise<Client> {
  const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
  onTestFinished(() => server.kill());
  const client = await connectOverHttp(`${server.origin}/mcp`, TOKEN, extensions);
  onTestFinished(() => client.close());
  return client;
}

describe.each([
  ['stdio', overStdio],
  ['HTTP', overHttp],
])('over %s', (_, open) => {
  it('announces the view on each tool to a host that shows views, and lets the view call no tool', async () => {
    const { tools, resources } = await told(await open(SHOWS_VIEWS));
    expect(tools.length).toBeGreaterThan(5);
    for (const tool of tools) {
      expect.soft(getToolUiResourceUri(tool), tool.name).toBe(VIEW_URI);
      expect.soft(isToolVisibilityModelOnly(tool), tool.name).toBe(true);
    }
    expect(resources).toContainEqual(expect.objectContaining({ uri: VIEW_URI, mimeType: RESOURCE_MIME_TYPE }));
  });

  it.each([
    ['announces nothing', undefined],
    ['announces another extension', { 'com.example/other': { mimeTypes: [RESOURCE_MIME_TYPE] } }],
    ['shows only other kinds of views', { [EXTENSION_ID]: { mimeTypes: ['text/html'] } }],
    ['names no kinds of views', { [EXTENSION_ID]: {} }],
  ])('does not announce the view to a host that %s', async (_title, extensions) => {
    const { tools, resources } = await told(await open(extensions));
    expect(tools.filter((tool) => '_meta' in tool)).toEqual([]);
    expect(resources.map(({ name }) => name)).toEqual(['field_guide']);
  });

  it('changes nothing else of the tools', async () => {
    const [seeing, other] = [await told(await open(SHOWS_VIEWS)), await told(await open())];
    const bare = seeing.tools.map(({ _meta, ...tool }) => tool);
    expect(JSON.stringify(bare)).toBe(JSON.stringify(other.tools));
  });

  it('serves the view to every client, and declares that it needs no network access', async () => {
    const { contents } = await (await open()).readResource({ uri: VIEW_URI });
    const nothing = { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] };
    expect(contents).toEqual([
      {
        uri: VIEW_URI,
        mimeType: RESOURCE_MIME_TYPE,
        text: expect.stringMatching(/^<!doctype html>/),
        _meta: { ui: { csp: nothing, prefersBorder: true } },
      },
    ]);
  });
});

describe('the built view', () => {
  const folder = dirname(BUILT);
  const chunks = readdirSync(folder)
    .filter((file) => file.endsWith('.js'))
    .map((file) => ({ file, code: readFileSync(join(folder, file), 'utf8') }));
  const holders = chunks.filter(({ code }) => code.includes('require-trusted-types-for'));

  it('is a small chunk of its own, which is not loaded at startup', () => {
    expect(holders).toHaveLength(1);
    const [{ file, code } = { file: '', code: '' }] = holders;
    expect(code.length).toBeLessThan(MAX_BYTES);
    const mentions = chunks.flatMap((one) => one.code.match(new RegExp(`.{8}\\./${file}`, 'g')) ?? []);
    expect(mentions).toEqual([expect.stringMatching(/\bimport\(.\.\//)]);
  });
});

/** The visible content of an answer; the first row of the table contains its headings. */
const Seen = z.object({
  heading: z.string(),
  badges: z.array(z.string()),
  lines: z.record(z.string(), z.string()),
  table: z.array(z.array(z.string())),
  text: z.string(),
});
type Seen = z.infer<typeof Seen>;

const SEEN = `(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  return {
    heading: all('h1').map((one) => one.textContent).join(),
    badges: all('.badges > *').map((one) => one.innerText),
    lines: Object.fromEntries(all('dt').map((one) => [one.innerText.trim(), one.nextElementSibling.innerText])),
    table: all('tr').map((row) => all('th, td', row).map((cell) => cell.textContent)),
    text: document.querySelector('main').innerText,
  };
})()`;

async function see(host: ViewHost, html: string, result: CallToolResult, context: object = {}): Promise<Seen> {
  await host.open(html, context);
  await host.tell('result', result);
  return seen(host);
}

async function seen(host: ViewHost): Promise<Seen> {
  await host.view().locator('main[aria-busy=false]').waitFor();
  return Seen.parse(await host.view().evaluate(SEEN));
}

/** How much wider the content is than its frame. */
function overflow(host: ViewHost): Promise<unknown> {
  return host.view().evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}

function dataOf({ structuredContent }: CallToolResult): Record<string, unknown> {
  return isRecord(structuredContent) ? structuredContent : {};
}

/** The contrast of each text with its background, lowest first. */
const CONTRASTS = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (one) => {
    const color = rgba(getComputedStyle(one).backgroundColor);
    return color[3] === 255 ? color : behind(one.parentElement);
  };
  return [...document.querySelectorAll('main *')]
    .filter((one) => [...one.childNodes].some((child) => child.nodeType === 3))
    .map((one) => {
      const [a, b] = [luminance(rgba(getComputedStyle(one).color)), luminance(behind(one))].sort((x, y) => y - x);
      return [(a + 0.05) / (b + 0.05), one.textContent];
    })
    .sort(([x], [y]) => x - y);
})()`;

describe.skipIf(!hasBrowser())('the view in a host', { timeout: 30_000 }, () => {
  let browser: Browser;
  const given = new Map<string, Awaited<ReturnType<typeof viewAnswers>>>();

  beforeAll(async () => {
    browser = await launchBrowser();
    for (const kit of kits) given.set(kit.name, await viewAnswers(kit));
  }, 30_000);
  afterAll(() => browser?.close());

  function of(provider: string) {
    const found = given.get(provider);
    if (!found) throw new Error(`no answers of ${provider}`);
    return found;
  }

  async function host(width = 960, scheme: 'light' | 'dark' = 'light'): Promise<ViewHost> {
    const opened = await viewHost(browser, { width, scheme });
    onTestFinished(() => opened.close());
    return opened;
  }

  /** The expected content of a card: each label with its text. */
  function linesOf({ view }: ProviderKit): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(view.lines).map(([label, text]) => [
        label,
        typeof text === 'string' ? text : expect.stringMatching(text),
      ]),
    );
  }

  it.each(kits)('shows a customer of $title as a card, with its outcome', async (kit) => {
    const { html, answers } = of(kit.name);
    const page = await host();
    const id = dataOf(answers.created)['customer_id'];
    const lines = { ...linesOf(kit), 'External ID': 'crm-1042', 'Customer ID': id };
    for (const [answer, badges] of [
      [answers.created, ['Created', 'Sandbox']],
      [answers.repeated, ['Existing', 'Sandbox']],
      [answers.got, ['Sandbox']],
    ] as const)
      expect(await see(page, html, answer)).toMatchObject({ heading: 'Acme Bakery', badges, lines, table: [] });
    expect((await see(page, html, answers.got)).lines).toEqual(lines);

    const gone = await see(page, html, answers.archived);
    expect(gone.badges).toEqual([kit.archive.outcome === 'archived' ? 'Archived' : 'Deleted', 'Sandbox']);
    expect(gone.lines).toMatchObject({ 'Customer ID': id, ...kit.view.archivedLines });
    expect(page.complaints).toEqual([]);
  });

  it.each(kits)(
    'shows the results of a search of $title as a table, or that there are none',
    async ({ name, view }) => {
      const { html, answers } = of(name);
      const page = await host();
      const found = await see(page, html, answers.found);
      expect(found).toMatchObject({ heading: '4 customers', badges: ['Sandbox'] });
      const [head = [], ...rows] = found.table;
      expect(head).toEqual(view.columns);
      const { customers } = dataOf(answers.found);
      expect(rows.map((row) => row[head.indexOf('Customer ID')])).toEqual(
        Array.isArray(customers) ? customers.map((one) => isRecord(one) && one['customer_id']) : [],
      );
      expect(rows.map(([name, email]) => [name, email]).toSorted()).toEqual([
        ['Acme Bakery', 'hello@acme.example'],
        ['Birch & Sons', 'office@birch.example'],
        ['Café Lumière', 'bonjour@lumiere.example'],
        ['Delta Logistics International', 'accounts@delta.example'],
      ]);
      await page.view().getByRole('rowheader', { name: 'Café Lumière' }).waitFor();
      await page.view().getByRole('columnheader', { name: 'Email' }).waitFor();
      expect(found.text).not.toContain('More customers');
      const more = { structuredContent: { ...dataOf(answers.found), has_more: true, total: 9 }, content: [] };
      const part = await see(page, html, more);
      expect(part.heading).toBe('4 of 9 customers');
      expect(part.text).toContain('More customers');

      const nothing = await see(page, html, answers.nothing);
      expect(nothing).toMatchObject({ heading: 'No customer found', table: [] });
    },
  );

  it.each(kits)('shows the summary of an import into $title, and the rows that need attention', async (kit) => {
    const { html, answers } = of(kit.name);
    const page = await host();
    const imported = await see(page, html, answers.imported);
    expect(imported.heading).toBe('Import of 5 rows');
    expect(await page.view().locator('.tallies > li').allInnerTexts()).toEqual(['3 created', '2 failed']);
    const [head, ...rows] = imported.table;
    expect(head).toEqual(['Row', 'External ID', 'Outcome', 'What happened']);
    expect(rows).toEqual([
      ['4', 'crm-9', 'Invalid input', expect.stringContaining('unknown argument `no_such_field`')],
      ['5', '', 'Invalid input', expect.stringContaining(`${kit.externalIdField}: is required`)],
    ]);
  });

  it('shows an error with its message, and the customers that it concerns', async () => {
    const page = await host();
    const { html, answers } = of('dayzero');
    const duplicate = await see(page, html, answers.duplicate);
    expect(duplicate).toMatchObject({ heading: 'Possible duplicate', badges: ['Needs attention', 'Sandbox'] });
    expect(duplicate.text).toContain('DayZero already has a customer with this email or name. Nothing was created.');
    expect(duplicate.table).toEqual([
      ['Name', 'Email', 'External ID', 'Customer ID'],
      ['Acme Bakery', 'hello@acme.example', 'crm-1042', dataOf(answers.created)['customer_id']],
    ]);
    const conflict = await see(page, html, of('notify').answers.duplicate);
    expect(conflict).toMatchObject({ heading: 'Conflict', badges: ['Error', 'Sandbox'] });
    expect(conflict.lines).toEqual({ 'Customer ID': dataOf(of('notify').answers.created)['customer_id'] });
    for (const { name } of kits) {
      const refused = await see(page, html, of(name).answers.refused);
      expect(refused).toMatchObject({ heading: 'Invalid input', badges: ['Error', 'Sandbox'] });
      expect(refused.text).toContain('unknown argument `no_such_field`');
    }
  });

  it('waits silently, shows that a call was canceled, and ends on request', async () => {
    const page = await host();
    expect(await page.open(of('layer').html)).toMatchObject({ name: 'customers-view' });
    const main = page.view().locator('main');
    expect(await main.innerText()).toBe('…');
    expect(await main.getAttribute('aria-busy')).toBe('true');
    await page.tell('cancelled', 'the user went on');
    expect((await seen(page)).text).toBe('Canceled: the user went on');
    expect(await page.tell('teardown')).toEqual({});
    expect(page.complaints).toEqual([]);
  });

  it('shows an answer of which the host passes on only the text', async () => {
    const page = await host();
    const { html, answers } = of('layer');
    const { content } = answers.got;
    expect((await see(page, html, { content })).lines).toMatchObject(layer.view.lines);
    const error = await see(page, html, { content: answers.refused.content, isError: true });
    expect(error.text).toMatch(/^invalid_input: unknown argument/);
  });

  it('shows warnings, changes, lists of records, and hides what is empty', async () => {
    const page = await host();
    const customer = {
      company_name: 'Acme',
      phone: '',
      website: null,
      is_deleted: true,
      is_new: false,
      tags: [],
      contacts: [{ id: 'c-1', full_name: 'Jo', email: null }, { full_name: 'Al' }],
      terms: { days: 30, early: { percent: 2 } },
    };
    const structuredContent = {
      outcome: 'updated',
      changed: {
        office_phone: { from: '1', to: null },
        tags: {
          from: null,
          to: [
            { key: 'tier', value: 'gold' },
            { key: 'region', value: 'west' },
          ],
        },
      },
      customer_id: 7,
      customer,
      warnings: ['It has no notes.'],
    };
    const card = await see(page, of('layer').html, { content: [], structuredContent });
    expect(card).toMatchObject({ heading: 'Acme', badges: ['Updated'] });
    expect(card.text).toContain('Office phone: 1 → –');
    expect(card.text).toContain('Tags: – → tier: gold, region: west');
    expect(card.lines).toMatchObject({
      Deleted: 'Yes',
      'Full name:': 'Al',
      'Days:': '30',
      'Percent:': '2',
      'Customer ID': '7',
    });
    const names = ['Deleted', 'Contacts', 'Full name:', 'Terms', 'Days:', 'Early:', 'Percent:', 'Customer ID'];
    expect(Object.keys(card.lines)).toEqual(names);
    expect(card.lines['Contacts']).toMatch(/^Full name: Jo\s+Full name: Al$/);
    expect(await page.view().locator('.warnings > li').allInnerTexts()).toEqual(['It has no notes.']);
  });

  it('listens only to its host', async () => {
    const page = await host();
    const { html, answers } = of('layer');
    await page.open(html);
    await page.tell('forge', answers.found);
    expect(await page.view().locator('main').innerText()).toBe('…');
    await page.tell('result', answers.created);
    expect((await seen(page)).heading).toBe('Acme Bakery');
  });

  describe('given hostile text', () => {
    const tagged = '<img src="https://evil.example/x.png" onerror="document.title=1"><script>document.title=2</script>';
    const hostile = [
      tagged,
      `"><iframe srcdoc="${tagged}">`,
      '\u202egnp.exe \u2066hidden\u2069\u{e0041}',
      'javascript:alert(1)',
      'W'.repeat(2_000),
      'مرحبا '.repeat(40),
    ];

    it('shows it as text, and runs, loads and requests nothing; no page is too wide', { timeout: 50_000 }, async () => {
      const page = await host(360);
      for (const kit of kits) {
        const { client, close } = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: kit.name });
        onTestFinished(close);
        const { html } = of(kit.name);
        const call = async (name: string, args: object): Promise<CallToolResult> => {
          const { content, structuredContent, isError } = await client.callTool({ name, arguments: { ...args } });
          return {
            content: Array.isArray(content) ? content : [],
            structuredContent: Object(structuredContent),
            isError: isError === true,
          };
        };
        for (const [index, text] of hostile.entries()) {
          const name = text.slice(0, kit.nameField.maxLength);
          const shown = name.replace(/[\u202e\u2066\u2069]|\u{e0041}/gu, '').trim();
          const created = await call('create_customer', {
            [kit.externalIdField]: `h-${index}`,
            ...kit.minimal(name, `h${index}@example.com`),
          });
          expect(created.isError).toBe(false);
          const { heading, text: all } = await see(page, html, created);
          expect(heading).toBe(shown.length <= 160 ? shown : `${shown.slice(0, 160)}…`);
          expect(all).toContain(shown);
          expect(await overflow(page)).toBe(0);
        }
        const refused = await see(page, html, await call('get_customer', { [tagged]: 'x' }));
        expect(refused).toMatchObject({ heading: 'Invalid input', text: expect.stringContaining('<img src=') });
        const found = await see(page, html, await call('search_customer', {}));
        expect(found.table).toHaveLength(hostile.length + 1);
        expect(await overflow(page)).toBe(0);
        expect(await page.view().title()).toBe('Customer');
        expect(await page.view().locator('main').locator('img, script, iframe, a').count()).toBe(0);
      }
      expect(page.requests).toEqual([]);
      expect(page.complaints).toEqual([]);
      expect(page.page.frames()).toHaveLength(2);
    });

    it('is equally safe if the text does not come through the server', async () => {
      const page = await host(360);
      const customer = Object.fromEntries(hostile.map((text) => [text, { [text]: [text, { [text]: text }] }]));
      for (const structuredContent of [
        {
          customer,
          outcome: tagged,
          customer_id: tagged,
          external_id: hostile[4],
          warnings: hostile,
          changed: Object.fromEntries(hostile.map((text) => [text, { from: text, to: [customer, text] }])),
        },
        {
          customers: [{ customer: { company_name: tagged, email: hostile[4], status: tagged } }, { customer }, null, 1],
        },
        {
          total: tagged,
          counts: customer,
          rows: [{ row: tagged, error: { kind: tagged, message: tagged } }],
          next: tagged,
        },
        { error: { kind: tagged, message: hostile[2], candidates: [{ customer: { company_name: hostile[4] } }] } },
      ]) {
        const { text } = await see(page, of('layer').html, { content: [], structuredContent });
        expect(text).not.toMatch(/[\u202e\u2066\u2069]/);
        expect(await overflow(page)).toBe(0);
        expect(await page.view().locator('main').locator('img, script, iframe, a').count()).toBe(0);
      }
      expect(page.requests).toEqual([]);
      expect(page.complaints).toEqual([]);
      expect(await page.view().title()).toBe('Customer');
    });

    it('could do no harm as HTML, because the page may load, run and request nothing', async () => {
      const page = await host();
      await page.open(of('layer').html);
      const attempt = (code: string): Promise<unknown> =>
        page.view().evaluate(`(async () => { ${code} })().then(() => 'done', (error) => error.name)`);
      expect(await attempt(`document.body.innerHTML = '<b>x</b>'`)).toBe('TypeError');
      expect(await attempt(`await fetch('https://evil.example/')`)).toBe('TypeError');
      expect(
        await attempt(`document.body.append(Object.assign(new Image(), { src: 'https://evil.example/x.png' }))`),
      ).toBe('done');
      expect(await attempt(`parent.document.title = 'x'`)).toBe('SecurityError');
      await attempt(
        `document.body.append(Object.assign(document.createElement('style'), { textContent: 'main{display:none}' }))`,
      );
      expect(await page.view().locator('main').isVisible()).toBe(true);
      expect(page.requests).toEqual([]);
    });
  });

  it.each([360, 639, 640])('fits a frame that is %d pixels wide, and reports its height', async (width) => {
    const page = await host(width);
    const { html, answers } = of('layer');
    for (const answer of [answers.created, answers.imported, answers.found, of('dayzero').answers.duplicate]) {
      const { heading } = await see(page, html, answer);
      expect.soft(await overflow(page), heading).toBe(0);
      const height = Number(await page.view().evaluate('document.documentElement.getBoundingClientRect().height'));
      expect(height).toBeGreaterThan(40);
      await expect.poll(() => page.page.evaluate('viewHost.heights.at(-1)')).toBe(Math.ceil(height));
    }
  });

  it('is a list on a phone, and still a table for screen readers', async () => {
    const page = await host(360);
    await see(page, of('layer').html, of('layer').answers.found);
    const cells = page.view().getByRole('row').nth(1).locator('th, td');
    const boxes = await Promise.all((await cells.all()).map((cell) => cell.boundingBox()));
    expect(new Set(boxes.map((box) => box?.x)).size).toBe(1);
    expect(new Set(boxes.map((box) => box?.y)).size).toBe(boxes.length);
    const session = await page.page.context().newCDPSession(page.view());
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const heard = (role: string): number => nodes.filter((node) => node.role?.value === role).length;
    expect(['table', 'row', 'columnheader', 'rowheader', 'cell'].map(heard)).toEqual([1, 5, 4, 4, 12]);
  });

  it.each([
    ['the system is light', 'light', {}, 'light'],
    ['the system is dark', 'dark', {}, 'dark'],
    ['the host is light', 'dark', { theme: 'light' }, 'light'],
    ['the host is dark', 'light', { theme: 'dark' }, 'dark'],
  ] as const)('is readable when %s', async (_title, scheme, context, look) => {
    const page = await host(960, scheme);
    const { created, archived, imported } = of('layer').answers;
    for (const answer of [created, archived, imported, of('dayzero').answers.duplicate]) {
      await see(page, of('layer').html, answer, context);
      const background = String(await page.view().evaluate('getComputedStyle(document.body).backgroundColor'));
      expect(background).toBe(look === 'light' ? 'rgb(255, 255, 255)' : 'rgb(23, 25, 28)');
      const contrasts: unknown = await page.view().evaluate(CONTRASTS);
      const [[least, text] = []] = Array.isArray(contrasts) ? contrasts : [];
      expect(least, String(text)).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('adopts the colors and fonts of its host, also after a change', async () => {
    const page = await host();
    const { html, answers } = of('layer');
    const variables = { '--color-background-primary': 'rgb(1, 2, 3)', '--font-sans': 'monospace', color: 'red' };
    await see(page, html, answers.created, { theme: 'dark', styles: { variables } });
    const styleOf = (name: string): Promise<unknown> =>
      page.view().evaluate(`getComputedStyle(document.body)[${JSON.stringify(name)}]`);
    expect([await styleOf('backgroundColor'), await styleOf('fontFamily')]).toEqual(['rgb(1, 2, 3)', 'monospace']);
    await page.tell('context', { styles: { variables: { '--color-background-primary': 'rgb(4, 5, 6)' } } });
    await expect.poll(() => styleOf('backgroundColor')).toBe('rgb(4, 5, 6)');
    expect(await page.view().evaluate('document.documentElement.style.color')).toBe('');
  });
});
