import { cleanText } from '../../text.ts';

type Attributes = Readonly<Record<string, string | undefined>>;

/** An element with its attributes and children. All text of the page is added here, and only as text nodes, never as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(name, value);
  // The server has already cleaned its texts; texts that reach the page in another way are cleaned here.
  made.append(...children.map((child) => (typeof child === 'string' ? cleanText(child, Infinity) : child)));
  return made;
}

/** External text, isolated so that its direction does not affect the text beside it. */
export function outside(text: string): HTMLElement {
  return element('bdi', {}, text);
}

/** A column with one cell per row; `undefined` for an empty cell. */
export interface Column {
  readonly title: string;
  readonly cells: readonly (string | undefined)[];
  show(text: string): Node;
}

/** Text up to this length stays on one line; longer text may wrap anywhere, so that no table is too wide. */
const SHORT_CELL = 12;

/**
 * A table that a narrow page shows as a list, in which each cell carries the heading of its column. Empty columns are omitted.
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
  // Safari drops the table semantics when styles turn the table into a list; the roles keep them.
  return element(
    'table',
    { role: 'table' },
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...head)),
    element('tbody', { role: 'rowgroup' }, ...rows.map((cells) => element('tr', { role: 'row' }, ...cells))),
  );
}

/** A description list of names and values. */
export function definitions(lines: readonly (readonly [string, Node])[], attributes: Attributes = {}): HTMLElement {
  return element(
    'dl',
    attributes,
    ...lines.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );
}
