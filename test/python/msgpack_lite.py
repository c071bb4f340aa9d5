"""The part of MessagePack that docs/protocol.md allows, in the Python standard library."""

import struct


class Malformed(ValueError):
    """The bytes are not one value made of nil, bool, int, float, str, array and map."""


def pack(value):
    """Bytes of a value, every header in its shortest form."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode("utf-8")
        return _header(len(data), 0xA0, 32, {1: 0xD9, 2: 0xDA, 4: 0xDB}) + data
    if isinstance(value, (list, tuple)):
        return _header(len(value), 0x90, 16, {2: 0xDC, 4: 0xDD}) + b"".join(map(pack, value))
    if isinstance(value, dict):
        pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
        return _header(len(value), 0x80, 16, {2: 0xDE, 4: 0xDF}) + pairs
    raise TypeError(f"the protocol has no {type(value).__name__}")


def _pack_int(value):
    if -32 <= value < 128:
        return struct.pack(">b", value)
    forms = ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"))
    if value < 0:
        forms = ((0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q"))
    for code, form in forms:
        try:
            return bytes([code]) + struct.pack(form, value)
        except struct.error:
            continue
    raise OverflowError("an integer has at most 64 bits")


def _header(length, fix, fix_end, wide):
    if length < fix_end:
        return bytes([fix + length])
    for size, code in wide.items():
        if length < 1 << (8 * size):
            return bytes([code]) + length.to_bytes(size, "big")
    raise OverflowError("too long for MessagePack")


def unpack(data):
    """The value of these bytes, all of them; raises Malformed."""
    reader = _Reader(data)
    value = reader.value()
    if reader.at != len(data):
        raise Malformed("bytes follow the value")
    return value


_NUMBERS = {
    0xCA: ">f", 0xCB: ">d",
    0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_STRINGS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAYS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        piece = self.data[self.at : self.at + size]
        if len(piece) < size:
            raise Malformed("the bytes end too early")
        self.at += size
        return piece

    def length(self, size):
        return int.from_bytes(self.take(size), "big")

    def value(self):
        code = self.take(1)[0]
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 0x100
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _NUMBERS:
            form = _NUMBERS[code]
            return struct.unpack(form, self.take(struct.calcsize(form)))[0]
        if code < 0x90:
            return self.map(code & 0x0F)
        if code < 0xA0:
            return self.array(code & 0x0F)
        if code < 0xC0:
            return self.string(code & 0x1F)
        if code in _STRINGS:
            return self.string(self.length(_STRINGS[code]))
        if code in _ARRAYS:
            return self.array(self.length(_ARRAYS[code]))
        if code in _MAPS:
            return self.map(self.length(_MAPS[code]))
        raise Malformed(f"the type 0x{code:02x} is not in the protocol")

    def string(self, length):
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("a string is not UTF-8") from error

    def array(self, count):
        return [self.value() for _ in range(count)]

    def map(self, count):
        result = {}
        for _ in range(count):
            key = self.value()
            if not isinstance(key, str):
                raise Malformed("a key is not a string")
            if key in result:
                raise Malformed(f"the key {key!r} occurs twice")
            result[key] = self.value()
        return result
