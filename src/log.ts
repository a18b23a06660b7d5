export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Everything a log line may hold. A closed list, so that names, e-mails, bodies and tokens cannot get in by accident. */
export interface LogFields {
  readonly tool?: string;
  readonly provider?: string;
  readonly outcome?: string;
  readonly status?: number;
  readonly ms?: number;
  /** How often the most stubborn request of the call was tried. */
  readonly attempt?: number;
  readonly store?: string;
  /** Who called over HTTP: a digest, never a name. */
  readonly caller?: string;
  /** Only for bugs: our own frames, without the message, which may quote data. */
  readonly stack?: string;
}

export interface Log {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
}

/** JSON lines, one per event. `write` gets stderr: stdout belongs to the protocol. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const at =
    (own: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(own) > logLevels.indexOf(level)) return;
      write(`${JSON.stringify({ time: new Date().toISOString(), level: own, event, ...fields })}\n`);
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** Where it happened, without the message, which may quote a customer. */
export function framesOf(error: unknown): string {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)) : [];
  return [error instanceof Error ? error.name : typeof error, ...frames].join('\n');
}
