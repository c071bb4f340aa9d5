// The sorts of values that keys take. Each complaint says what to write instead.

import * as v from 'valibot'
import { type Address, isLoopback, type MetricsAddress, parseAddress } from '../../protocol/address.ts'
import { formatDuration, parseDuration } from './duration.ts'
import { type Kind, quote, reader, Wrong } from './kind.ts'
import { formatSize, parseSize } from './size.ts'

/** A range and the reason for it. */
export interface Range {
  min: number
  max: number
  why: string
}

export function duration({ min, max, why }: Range): Kind<number> {
  const range = `${formatDuration(min)} to ${formatDuration(max)}`
  return {
    type: 'duration',
    range: `${range} (${why})`,
    schema: reader((value) => {
      if (typeof value === 'number') return new Wrong(`${value} has no unit; write "${value}s" or "${value}ms"`)
      const ms = typeof value === 'string' ? parseDuration(value) : undefined
      if (ms === undefined)
        return new Wrong(`${quote(value)} is not a duration; write a whole number and ms, s, m or h, such as "30s"`)
      if (ms < min || ms > max) return new Wrong(`${quote(value)} is out of range; write ${range} (${why})`)
      return ms
    }),
  }
}

/** A duration that the kernel counts in whole seconds. */
export function seconds({ min, max, why }: Range): Kind<number> {
  const { type, range, schema } = duration({ min: min * 1000, max: max * 1000, why })
  return {
    type,
    range,
    schema: v.pipe(
      schema,
      v.check((ms) => ms % 1000 === 0, 'is too fine; write whole seconds (the kernel counts them)'),
      v.transform((ms) => ms / 1000),
    ),
  }
}

export function size({ min, max, why }: Range): Kind<number> {
  const range = `${formatSize(min)} to ${formatSize(max)}`
  return {
    type: 'size',
    range: `${range} (${why})`,
    schema: reader((value) => {
      const bytes = typeof value === 'string' ? parseSize(value) : value
      if (typeof bytes !== 'number' || !Number.isInteger(bytes))
        return new Wrong(`${quote(value)} is not a size; write bytes or a number and K, M or G, such as "256K"`)
      if (bytes < min || bytes > max) return new Wrong(`${quote(value)} is out of range; write ${range} (${why})`)
      return bytes
    }),
  }
}

export function count({ min, max, why }: Range): Kind<number> {
  return {
    type: 'integer',
    range: `${min} to ${max} (${why})`,
    schema: reader((value) => {
      if (typeof value !== 'number' || !Number.isInteger(value))
        return new Wrong(`${quote(value)} is not a whole number; write one from ${min} to ${max}, without quotes`)
      if (value < min || value > max)
        return new Wrong(`${value} is out of range; write a number from ${min} to ${max} (${why})`)
      return value
    }),
  }
}

export function flag(): Kind<boolean> {
  return {
    type: 'boolean',
    range: '',
    schema: reader((value) =>
      typeof value === 'boolean' ? value : new Wrong(`${quote(value)} is not a boolean; write true or false`),
    ),
  }
}

export function oneOf<const Word extends string>(words: readonly Word[]): Kind<Word> {
  const list = words.map((word) => `"${word}"`).join(' or ')
  return {
    type: words.map((word) => `\`"${word}"\``).join(', '),
    range: '',
    schema: reader((value) => {
      const found = words.find((word) => word === value)
      return found ?? new Wrong(`${quote(value)} is not one of the choices; write ${list}`)
    }),
  }
}

export function octalMode(): Kind<number> {
  return {
    type: 'octal mode',
    range: '"0000" to "0777" (permission bits only)',
    schema: reader((value) => {
      if (typeof value === 'string' && /^0?[0-7]{3}$/.test(value)) return Number.parseInt(value, 8)
      return new Wrong(`${quote(value)} is not a file mode; write four octal digits in quotes, such as "0660"`)
    }),
  }
}

export function path(longest: number, why: string): Kind<string> {
  return {
    type: 'absolute path',
    range: `at most ${longest} bytes (${why})`,
    schema: reader((value) => {
      if (typeof value !== 'string' || !value.startsWith('/') || value.includes('\0'))
        return new Wrong(`${quote(value)} is not an absolute path; write one that begins with "/"`)
      if (Buffer.byteLength(value) > longest)
        return new Wrong(`the path has ${Buffer.byteLength(value)} bytes; write at most ${longest} (${why})`)
      return value
    }),
  }
}

/** A short word for the kernel, such as an interface or a congestion control. */
export function word(type: string, pattern: RegExp, range: string): Kind<string> {
  return {
    type,
    range,
    schema: reader((value) =>
      typeof value === 'string' && pattern.test(value)
        ? value
        : new Wrong(`${quote(value)} is not the name of ${type === 'interface' ? 'an' : 'a'} ${type}; write ${range}`),
    ),
  }
}

/** A user or group, by name or number; it is resolved later. */
export function account(type: 'user' | 'group'): Kind<string> {
  return {
    type: `${type} name or number`,
    range: '',
    schema: reader((value) => {
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return String(value)
      if (typeof value === 'string' && /^[^\s:,]+$/.test(value)) return value
      return new Wrong(`${quote(value)} is not a ${type}; write its name in quotes, or its number`)
    }),
  }
}

/** Strings, at most `longest` of them. */
export function texts(type: string, what: string, longest: number, why: string): Kind<string[]> {
  const item = reader((value) =>
    typeof value === 'string' ? value : new Wrong(`${quote(value)} is not ${what}; write it in quotes`),
  )
  const array = v.array(item, (issue) => `${quote(issue.input)} is not a list; write [${'"…"'}] with ${what} in each`)
  return {
    type,
    range: `at most ${longest} (${why})`,
    schema: v.pipe(
      array,
      v.check(
        (list) => list.length <= longest,
        () => `is longer than ${longest} (${why})`,
      ),
    ),
  }
}

/** Metrics tell names and users, and are answered without asking who reads: no other host may reach them. */
export function metricsAddress(): Kind<MetricsAddress> {
  const form = '"tcp://127.0.0.1:9464" or "unix:///run/fd-broker/metrics.sock"'
  return {
    type: 'address',
    range: 'TCP on loopback, or a Unix socket’s path',
    schema: reader((value) => {
      const address = typeof value === 'string' ? addressOf(value) : undefined
      if (address instanceof Wrong) return address
      if (address?.type === 'unix' && address.path.startsWith('/')) return { ...address, type: 'unix' as const }
      if (address?.type !== 'tcp') return new Wrong(`${quote(value)} is not an address for metrics; write ${form}`)
      if (isLoopback(address)) return { ...address, type: 'tcp' as const }
      return new Wrong(`${quote(value)} can be reached from other hosts; write ${form}, and let a proxy ask who reads`)
    }),
  }
}

function addressOf(text: string): Address | Wrong {
  try {
    return parseAddress(text)
  } catch (error) {
    return new Wrong((error as Error).message)
  }
}
