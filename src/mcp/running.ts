/** What makes the provider work at the moment: a stop waits for it, and over HTTP there is a most of it. */
export type Running = Set<Promise<unknown>>;

/** The result of work, which is among what runs until then. */
export async function track<T>(running: Running, work: Promise<T>): Promise<T> {
  running.add(work);
  try {
    return await work;
  } finally {
    running.delete(work);
  }
}
