// MessagePack by hand (https://github.com/msgpack/msgpack/blob/master/spec.md), for tests only: every header can be chosen, so
// that valid packets come in all their spellings and malformed ones can be built at all. It knows nothing of src/.

export type Bytes = readonly number[]

export const NIL: Bytes = [0xc0]
export const NEVER_USED: Bytes = [0xc1]
export const FALSE: Bytes = [0xc2]
export const TRUE: Bytes = [0xc3]

export function packet(...pieces: Bytes[]): Uint8Array {
  return Uint8Array.from(pieces.flat())
}

/** `value` in `size` bytes, most significant first; negative ones as two's complement. */
export function bigEndian(value: number | bigint, size: number): number[] {
  const bits = BigInt.asUintN(size * 8, BigInt(value))
  return Array.from({ length: size }, (_, i) => Number((bits >> BigInt(8 * (size - 1 - i))) & 0xffn))
}

export const INT_HEADERS = { u8: 0xcc, u16: 0xcd, u32: 0xce, u64: 0xcf, i8: 0xd0, i16: 0xd1, i32: 0xd2, i64: 0xd3 }
export type IntWidth = keyof typeof INT_HEADERS

export function int(value: number | bigint, width?: IntWidth): Bytes {
  if (width !== undefined) return [INT_HEADERS[width], ...bigEndian(value, Number(width.slice(1)) / 8)]
  if (value >= -0x20 && value < 0x80) return bigEndian(value, 1)
  return int(value, shortest(BigInt(value)))
}

function shortest(value: bigint): IntWidth {
  const widths: IntWidth[] = value < 0n ? ['i8', 'i16', 'i32', 'i64'] : ['u8', 'u16', 'u32', 'u64']
  return widths.find((width) => fits(value, width)) ?? 'u64'
}

export function fits(value: bigint, width: IntWidth): boolean {
  const bits = Number(width.slice(1))
  return (width[0] === 'u' ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value)) === value
}

export function float32(value: number): Bytes {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, value)
  return [0xca, ...new Uint8Array(view.buffer)]
}

export function float64(value: number): Bytes {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  return [0xcb, ...new Uint8Array(view.buffer)]
}

/** Size in bits of the header's length field; 'fix' puts the length into the type byte. */
export type Header = 'fix' | 8 | 16 | 32

function header(
  length: number,
  chosen: Header | undefined,
  fix: { base: number; max: number },
  wide: Map<Header, number>,
) {
  const width =
    chosen ?? (length <= fix.max ? 'fix' : ([...wide.keys()].find((bits) => length < 2 ** Number(bits)) as Header))
  if (width === 'fix') return [fix.base + length]
  return [wide.get(width)!, ...bigEndian(length, Number(width) / 8)]
}

const STR: Map<Header, number> = new Map<Header, number>([[8, 0xd9], [16, 0xda], [32, 0xdb]]) // biome-ignore format: a table
const ARRAY: Map<Header, number> = new Map<Header, number>([[16, 0xdc], [32, 0xdd]]) // biome-ignore format: a table
const MAP: Map<Header, number> = new Map<Header, number>([[16, 0xde], [32, 0xdf]]) // biome-ignore format: a table

export function str(text: string, width?: Header): Bytes {
  return rawStr([...Buffer.from(text, 'utf8')], width)
}

/** A string of any bytes; `claimed`: the length that the header gives instead of theirs. */
export function rawStr(bytes: Bytes, width?: Header, claimed: number = bytes.length): Bytes {
  return [...header(claimed, width, { base: 0xa0, max: 31 }, STR), ...bytes]
}

export function array(items: readonly Bytes[], width?: Header, claimed: number = items.length): Bytes {
  return [...header(claimed, width, { base: 0x90, max: 15 }, ARRAY), ...items.flat()]
}

/** Pairs of key and value, both already bytes: keys may be of any type and occur twice. */
export function map(
  pairs: readonly (readonly [Bytes, Bytes])[],
  width?: Header,
  claimed: number = pairs.length,
): Bytes {
  return [...header(claimed, width, { base: 0x80, max: 15 }, MAP), ...pairs.flat(2)]
}

export function bin(bytes: Bytes, width: 8 | 16 | 32 = 8): Bytes {
  return [{ 8: 0xc4, 16: 0xc5, 32: 0xc6 }[width], ...bigEndian(bytes.length, width / 8), ...bytes]
}

export function ext(type: number, bytes: Bytes, width: 8 | 16 | 32 = 8): Bytes {
  return [
    { 8: 0xc7, 16: 0xc8, 32: 0xc9 }[width],
    ...bigEndian(bytes.length, width / 8),
    ...bigEndian(type, 1),
    ...bytes,
  ]
}

/** 1, 2, 4, 8 or 16 bytes of data. */
export function fixext(type: number, bytes: Bytes): Bytes {
  return [0xd4 + Math.log2(bytes.length), ...bigEndian(type, 1), ...bytes]
}

/** A JavaScript value, every header in its shortest form; a number that is no integer is a float 64. */
export function value(of: unknown): Bytes {
  if (of === null) return NIL
  if (typeof of === 'boolean') return of ? TRUE : FALSE
  if (typeof of === 'bigint') return int(of)
  if (typeof of === 'number') return Number.isInteger(of) ? int(of) : float64(of)
  if (typeof of === 'string') return str(of)
  if (Array.isArray(of)) return array(of.map(value))
  return map(Object.entries(of as object).map(([key, item]) => [str(key), value(item)]))
}

/** A map in its shortest form with these values already as bytes. */
export function fields(of: Readonly<Record<string, Bytes>>): Bytes {
  return map(Object.entries(of).map(([key, item]) => [str(key), item]))
}

/** Bytes from hex digits; blanks, line ends and `# comments` do not count. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/#.*$/gm, '').replace(/\s+/g, ''), 'hex'))
}
