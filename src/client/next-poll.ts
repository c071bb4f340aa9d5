// The moment right after the event loop has asked the kernel for everything that has arrived.

/** Resolves in the same turn of the loop, after its poll: what had arrived by then has been read. */
export function nextPoll(): Promise<void> {
  // The first immediate may belong to a poll that was before this call.
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
}
