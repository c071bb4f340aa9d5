/** Longer than any process lives. */
const FOR_EVER = 2 ** 31 - 1

/** Waits, and keeps the process alive meanwhile: nothing else might. */
export async function stayAlive<T>(wait: () => Promise<T>): Promise<T> {
  const alive = setInterval(() => {}, FOR_EVER)
  try {
    return await wait()
  } finally {
    clearInterval(alive)
  }
}
