export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The fields of a log line. A closed list, so that names, emails, bodies and tokens cannot be logged by accident. */
interface LogFields {
  readonly tool?: string;
  readonly provider?: string;
  readonly outcome?: string;
  readonly status?: number;
  readonly ms?: number;
  /** The number of attempts of the request that needed the most. */
  readonly attempt?: number;
  readonly store?: string;
  /** Why the audit trail cannot be written. */
  readonly audit?: string;
  /** The caller over HTTP: a digest, never a name. */
  readonly caller?: string;
  /** The business that is served, if there are several. */
  readonly tenant?: string;
  /** Only for bugs: the stack frames without the message, which may contain data. */
  readonly stack?: string;
}

export interface Log {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
}

/** The same log, with these fields in each line. */
export function withFields(log: Log, own: LogFields): Log {
  return {
    error: (event, fields) => log.error(event, { ...own, ...fields }),
    warn: (event, fields) => log.warn(event, { ...own, ...fields }),
    info: (event, fields) => log.info(event, { ...own, ...fields }),
    debug: (event, fields) => log.debug(event, { ...own, ...fields }),
  };
}

/** Writes JSON lines, one per event. `write` must write to stderr, because stdout belongs to the protocol. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const at =
    (own: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(own) > logLevels.indexOf(level)) return;
      write(`${JSON.stringify({ time: new Date().toISOString(), level: own, event, ...fields })}\n`);
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** The stack frames of an error, without its message, which may contain customer data. */
export function framesOf(error: unknown): string {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)) : [];
  return [error instanceof Error ? error.name : typeof error, ...frames].join('\n');
}
