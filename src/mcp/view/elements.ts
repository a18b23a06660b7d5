import { cleanText } from '../../text.ts';

type Attributes = Readonly<Record<string, string | undefined>>;

/**
 * An element with its attributes and children. All text of the page goes through here, and only ever as text: there is no
 * HTML for it to be.
 */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, value);
  // The server has cleaned it already; what reaches the page on another way is to be no worse.
  made.append(...children.map((child) => (typeof child === 'string' ? cleanText(child, Infinity) : child)));
  return made;
}

/** Text from outside, which may run in the other direction without turning what stands beside it. */
export function outside(text: string): HTMLElement {
  return element('bdi', {}, text);
}

/** A column with a cell for each row; `undefined` where a row has nothing to say. */
export interface Column {
  readonly title: string;
  readonly cells: readonly (string | undefined)[];
  show(text: string): Node;
}

/** So little text stays on one line; more may break anywhere, so that no table is too wide. */
const SHORT_CELL = 12;

/**
 * A table that a narrow page shows as a list: each cell then carries the heading of its column. Columns in which nothing
 * stands are left out.
 */
export function table(columns: readonly Column[]): HTMLElement {
  const filled = columns.filter(({ cells }) => cells.some((cell) => cell !== undefined));
  const [first] = filled;
  const rows = (first?.cells ?? []).map((_, row) =>
    filled.map(({ title, cells, show }, index) => {
      const text = cells[row];
      const attributes = {
        'data-column': title,
        class: text !== undefined && text.length <= SHORT_CELL ? 'short' : undefined,
      };
      const children = text === undefined ? [] : [show(text)];
      return index === 0
        ? element('th', { scope: 'row', role: 'rowheader', ...attributes }, ...children)
        : element('td', { role: 'cell', ...attributes }, ...children);
    }),
  );
  const head = filled.map(({ title }) => element('th', { scope: 'col', role: 'columnheader' }, title));
  // Safari forgets that it is a table where styles turn it into a list; the roles do not.
  return element(
    'table',
    { role: 'table' },
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...head)),
    element('tbody', { role: 'rowgroup' }, ...rows.map((cells) => element('tr', { role: 'row' }, ...cells))),
  );
}

/** Names with their values. */
export function definitions(lines: readonly (readonly [string, Node])[], attributes: Attributes = {}): HTMLElement {
  return element(
    'dl',
    attributes,
    ...lines.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );
}
