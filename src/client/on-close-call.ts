// Node emits `close` after a server's last connection. That it stops can be learned before only from the call of its close().

type Close = (...args: unknown[]) => unknown
/** Both net.Server and node:dgram's Socket. */
type Closable = { close?: Close }

const hooks = new WeakMap<object, Hook>()

/** Calls `listener` after every call of `server.close()`. Returns what ends that: close() is then the one that it was. */
export function onCloseCall(server: object, listener: () => void): () => void {
  const hook = hooks.get(server) ?? new Hook(server)
  hook.listeners.add(listener)
  return () => hook.remove(listener)
}

class Hook {
  readonly listeners = new Set<() => void>()
  readonly #server: Closable
  readonly #former: Close
  /** A class's method is no property of the server itself. */
  readonly #own: boolean
  readonly #close: Close = (...args) => {
    const result = this.#former.apply(this.#server, args)
    for (const listener of [...this.listeners]) listener()
    return result
  }

  constructor(server: Closable) {
    this.#server = server
    this.#own = Object.hasOwn(server, 'close')
    this.#former = server.close!
    server.close = this.#close
    hooks.set(server, this)
  }

  remove(listener: () => void): void {
    if (!this.listeners.delete(listener) || this.listeners.size > 0) return
    hooks.delete(this.#server)
    // One that the program has put around this one goes on calling it.
    if (this.#server.close !== this.#close) return
    if (this.#own) this.#server.close = this.#former
    else Reflect.deleteProperty(this.#server, 'close')
  }
}
