// Secrets by which peers are told apart that the kernel cannot tell apart. Only their hashes are kept, and compared.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Of 256 random bits, so that a plain hash is as good as a slow one: there is nothing to guess. */
const SECRET_BYTES = 32

export interface NewToken {
  secret: string
  /** What [tokens] says of it. */
  hash: string
}

export function newToken(): NewToken {
  const secret = randomBytes(SECRET_BYTES).toString('base64url')
  return { secret, hash: `sha256:${hashToken(secret).toString('hex')}` }
}

export function hashToken(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** The names of the tokens that have this hash. The time it takes tells nothing of how much of a secret is right. */
export function tokensOf(hash: Buffer, tokens: ReadonlyMap<string, Buffer>): string[] {
  const held: string[] = []
  for (const [name, known] of tokens) if (timingSafeEqual(hash, known)) held.push(name)
  return held
}
