import { isRecord } from '../text.ts';
import type { Consent } from '../tools/tool.ts';

/**
 * The question as a form with one checkbox, because hosts accept an empty form without showing it. The answer is validated
 * below, because the program omits the validator that the SDK's own `elicitInput` needs.
 */
const FORM = {
  type: 'object',
  properties: {
    confirm: { type: 'boolean', title: 'Go ahead', description: 'Nothing is done unless this is checked.' },
  },
  required: ['confirm'],
} as const;

/** The parameters of elicitation/create for a question. */
export function formFor(message: string) {
  return { mode: 'form', message, requestedSchema: FORM } as const;
}

/** Whether a client with these capabilities can show a form to a user. */
export function canAsk(capabilities: unknown): boolean {
  const elicitation = isRecord(capabilities) ? capabilities['elicitation'] : undefined;
  return isRecord(elicitation) && (!elicitation['url'] || Boolean(elicitation['form']));
}

/** Only `accept` with a checked box is consent. Some hosts answer with actions of their own if the user refuses. */
export function consentIn({ action, content }: Readonly<Record<string, unknown>>): Consent {
  if (action === 'decline') return 'declined';
  if (action === 'cancel') return 'cancelled';
  if (action !== 'accept') return 'invalid';
  if (content === undefined || content === null) return 'unchecked';
  if (!isRecord(content)) return 'invalid';
  const { confirm, ...others } = content;
  if (Object.keys(others).length > 0) return 'invalid';
  if (confirm === true) return 'accepted';
  return confirm === false || confirm === undefined ? 'unchecked' : 'invalid';
}
