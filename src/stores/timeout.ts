/** The time limit of one call of the store. */
export const STORE_TIMEOUT_MS = 500;

/** The store did not respond in time; it may still run the request. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * Limits the time of some work, because no option of the drivers limits it reliably.
 * @throws TimeoutError after so many ms.
 */
export async function withTimeout<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new TimeoutError('the store took too long')), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
