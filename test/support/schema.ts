import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { isModern } from '../../src/mcp/modern.ts';
import { isRecord } from '../../src/text.ts';
import handshake from './schema/2025-11-25.json' with { type: 'json' };
import modern from './schema/2026-07-28.json' with { type: 'json' };

// The specification's schema.json of both eras, as the official conformance suite (0.2.0-alpha.12) carries them:
// https://github.com/modelcontextprotocol/modelcontextprotocol/tree/main/schema

/** A revision of the protocol. */
class Revision {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #definitions: Readonly<Record<string, unknown>>;

  constructor(schema: { readonly $defs: Readonly<Record<string, unknown>> }) {
    this.#definitions = schema.$defs;
    this.#ajv.addSchema(schema, 'mcp');
  }

  /** What the schema has against a message of the server; an answer is one to a request of this method. */
  violations(message: unknown, method?: unknown): string[] {
    if (!isRecord(message)) return ['the message is no object'];
    const { result, error } = message;
    if ('method' in message) {
      const name = this.#nameOf((definition) => at(definition, 'method', 'const') === message['method']);
      return name ? this.#against(name, message) : [`the method ${String(message['method'])} is not defined`];
    }
    if ('error' in message) {
      const code = isRecord(error) ? error['code'] : undefined;
      // Some codes have a response of their own.
      const name = this.#nameOf((definition) => codeOf(definition) === code) ?? 'JSONRPCErrorResponse';
      return this.#against(name, message);
    }
    const request = this.#nameOf((definition) => at(definition, 'method', 'const') === method);
    const own = request?.replace(/Request$/, 'Result') ?? '';
    const plain = own in this.#definitions ? own : 'Result';
    const isQuestion = isRecord(result) && result['resultType'] === 'input_required';
    return [
      ...this.#against('JSONRPCResultResponse', message),
      ...this.#against(isQuestion ? 'InputRequiredResult' : plain, result),
    ];
  }

  #nameOf(isWanted: (definition: unknown) => boolean): string | undefined {
    return Object.keys(this.#definitions).find((name) => isWanted(this.#definitions[name]));
  }

  #against(name: string, value: unknown): string[] {
    const validate = this.#validators.get(name) ?? this.#ajv.compile({ $ref: `mcp#/$defs/${name}` });
    this.#validators.set(name, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${name}${instancePath} ${message}`);
  }
}

/** What is at `properties.<name>.<keyword>` of a definition. */
function at(definition: unknown, name: string, keyword: string): unknown {
  const properties = isRecord(definition) ? definition['properties'] : undefined;
  const property = isRecord(properties) ? properties[name] : undefined;
  return isRecord(property) ? property[keyword] : undefined;
}

function codeOf(definition: unknown): unknown {
  const parts = at(definition, 'error', 'allOf');
  return (Array.isArray(parts) ? parts : []).map((part) => at(part, 'code', 'const')).find(Boolean);
}

const REVISIONS = { handshake: new Revision(handshake), modern: new Revision(modern) };

/** The messages between a client and the server; each of the server is compared with the schema of its revision. */
export class Conversation {
  readonly #asked = new Map<unknown, { readonly method: unknown; readonly revision: Revision }>();

  /** Notes what the client sends: a message, a list of messages, or anything else. */
  sent(message: unknown): void {
    for (const member of Array.isArray(message) ? message : [message]) {
      const revision = isModern(member) ? REVISIONS.modern : REVISIONS.handshake;
      if (isRecord(member) && 'id' in member) this.#asked.set(member['id'], { method: member['method'], revision });
    }
  }

  /** What is wrong with a message, or a list of messages, of the server. */
  violations(message: unknown): string[] {
    if (Array.isArray(message)) return message.flatMap((member) => this.violations(member));
    if (!isRecord(message)) return ['the message is no object'];
    const { id } = message;
    const { method, revision = REVISIONS.handshake } = this.#asked.get(id) ?? {};
    // A number with a fraction is no id, but a client that sends one finds the error only by it.
    const isEcho = typeof id === 'number' && this.#asked.has(id) && 'error' in message;
    return revision.violations(isEcho ? { ...message, id: Math.trunc(id) } : message, method);
  }

  /** Fails the run if something is wrong with a message of the server, wherever it comes in. */
  received(message: unknown): void {
    const violations = this.violations(message);
    if (violations.length === 0) return;
    const error = new Error(`${violations.join('; ')}: ${JSON.stringify(message).slice(0, 1_000)}`);
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Notes what a client sends over a transport; `watch` then also checks what it receives, once the client is connected. */
export function watched(transport: Transport): { watch(): void } {
  const conversation = new Conversation();
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    conversation.sent(message);
    return send(message, options);
  };
  return {
    watch() {
      const { onmessage } = transport;
      transport.onmessage = (message, extra) => {
        conversation.received(message);
        onmessage?.(message, extra);
      };
    },
  };
}
