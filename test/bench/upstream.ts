import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../src/text.ts';

/** What all servers under measurement talk to. */
export interface Upstream {
  readonly origin: string;
  /** How many connections were opened to it since this was last asked. */
  connections(): Promise<number>;
  /** From now on, each answer takes so long. */
  delay(ms: number): Promise<void>;
  close(): void;
}

export async function startUpstream(): Promise<Upstream> {
  const child = fork(fileURLToPath(new URL('upstream-process.ts', import.meta.url)));
  const told = async (field: string): Promise<number> => {
    const [message]: unknown[] = await once(child, 'message');
    return isRecord(message) ? Number(message[field]) : Number.NaN;
  };
  const port = await told('port');
  return {
    origin: `http://127.0.0.1:${port}`,
    connections() {
      const count = told('connections');
      child.send('connections');
      return count;
    },
    async delay(ms) {
      const heard = told('delayMs');
      child.send({ delayMs: ms });
      await heard;
    },
    close() {
      if (child.connected) child.disconnect();
    },
  };
}
