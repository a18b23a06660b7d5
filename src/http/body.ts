import { RefusalError, type Context } from './refusal.ts';

const MAX_BODY = 1024 * 1024;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The JSON value of a body.
 * @throws RefusalError for a body that is too large, incomplete, or not JSON in UTF-8. Invalid UTF-8 is never replaced, because
 * that would change a name.
 */
export async function readJson(c: Context): Promise<unknown> {
  const bytes = await readBytes(c);
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch {
    throw new RefusalError({ status: 400, message: 'The body is not JSON.', code: -32700 });
  }
}

/** The rest of a body that is too large is still received; otherwise the caller would never read the answer. */
function readBytes(c: Context): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const refuse = (status: 400 | 413, message: string): void => reject(new RefusalError({ status, message }));
  const refuseSize = (): void => refuse(413, `The body exceeds the limit of ${MAX_BODY} bytes.`);
  const refusePart = (): void => refuse(400, 'The body is incomplete.');
  if (Number(c.req.header('content-length') ?? 0) > MAX_BODY) {
    refuseSize();
    return promise;
  }
  // No event follows if the caller disconnected before its turn came.
  if (c.env.incoming.destroyed) {
    refusePart();
    return promise;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  c.env.incoming
    .on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BODY) refuseSize();
      else chunks.push(chunk);
    })
    .once('end', () => {
      resolve(Buffer.concat(chunks));
      c.env.incoming.off('close', refusePart);
    })
    // The caller has disconnected, or was so slow that Node closed its connection.
    .once('error', refusePart)
    .once('close', refusePart);
  return promise;
}
