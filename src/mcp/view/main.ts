import { isRecord, textOf } from '../../text.ts';
import { showNote, showResult } from './answers.ts';
import { connectHost } from './host.ts';

const main = document.querySelector('main');

function show(nodes: readonly Node[]): void {
  main?.replaceChildren(...nodes);
  main?.setAttribute('aria-busy', 'false');
}

/** Applies the host's colors and fonts. Without them, the page uses its own for light and dark. */
function dress({ theme, styles }: Readonly<Record<string, unknown>>): void {
  const root = document.documentElement;
  if (theme === 'light' || theme === 'dark') root.style.colorScheme = theme;
  const variables = isRecord(styles) && isRecord(styles['variables']) ? styles['variables'] : {};
  for (const [name, value] of Object.entries(variables))
    if (name.startsWith('--') && typeof value === 'string') root.style.setProperty(name, value);
}

connectHost({
  onResult: (result) => show(showResult(result)),
  onCancelled: (reason) => show(showNote(`Canceled${textOf(reason) === undefined ? '' : `: ${textOf(reason)}`}`)),
  onContext: dress,
});
