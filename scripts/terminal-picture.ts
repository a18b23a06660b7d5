// Pictures of a terminal for the documentation, from text with the colours of one.
const COLUMNS = 104;
const LINE = 20;
const TOP = 56;
const LEFT = 20;
/** Advance of a monospaced character at 13 px; each line is stretched to it, so that every font gives the same width. */
const ADVANCE = 7.8;

type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'plain';
export interface Run {
  readonly style: Style;
  readonly text: string;
}
const STYLES: Readonly<Record<string, Style>> = { 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow' };

/** A text as lines of equally styled runs. The style goes on over the end of a line. */
export function runs(whole: string): Run[][] {
  let style: Style = 'plain';
  return whole.split('\n').map((line) =>
    // oxlint-disable-next-line no-control-regex
    line.split(/(\u001b\[\d+m)/).flatMap((part): Run[] => {
      // oxlint-disable-next-line no-control-regex
      const code = /^\u001b\[(?<code>\d+)m$/.exec(part)?.groups?.['code'];
      if (code !== undefined) style = STYLES[code] ?? 'plain';
      return code === undefined && part !== '' ? [{ style, text: part }] : [];
    }),
  );
}

/** A line cut at blanks to the width of the terminal; what follows is indented. */
export function wrap(line: readonly Run[]): Run[][] {
  const lines: Run[][] = [[]];
  let column = 0;
  for (const { style, text: whole } of line)
    for (const word of whole.match(/\s*(?:[^\s,]*,(?=")|\S+)|\s+$/g) ?? []) {
      if (column + word.length > COLUMNS) {
        lines.push([{ style: 'plain', text: '    ' }]);
        column = 4;
      }
      const fresh = column === 4 && lines.length > 1;
      lines.at(-1)?.push({ style, text: fresh ? word.trimStart() : word });
      column += word.length;
    }
  return lines;
}

/** The picture, as SVG; `label` says what it shows to whom cannot see it. */
export function drawTerminal(lines: readonly (readonly Run[])[], label: string): string {
  const width = Math.ceil(COLUMNS * ADVANCE) + 2 * LEFT;
  const height = TOP + lines.length * LINE;
  const body = lines.map((line, index) => {
    const length = line.reduce((sum, run) => sum + run.text.length, 0);
    if (length === 0) return '';
    const spans = line.map((run) => `<tspan class="${run.style}">${escape(run.text)}</tspan>`).join('');
    return `  <text x="${LEFT}" y="${TOP + index * LINE}" textLength="${(length * ADVANCE).toFixed(1)}" lengthAdjust="spacing">${spans}</text>\n`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(label)}">
  <style>
    text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d5dae0; white-space: pre; }
    .bold { font-weight: 700; fill: #ffffff; } .dim { fill: #8b96a3; } .green { fill: #5fd0a0; } .yellow { fill: #e3b45c; } .red { fill: #f07f78; }
  </style>
  <rect width="${width}" height="${height}" rx="10" fill="#14181d" />
  <circle cx="24" cy="22" r="6" fill="#ff5f57" /><circle cx="44" cy="22" r="6" fill="#febc2e" /><circle cx="64" cy="22" r="6" fill="#28c840" />
${body.join('')}</svg>
`;
}

function escape(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
