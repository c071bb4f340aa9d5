import struct
import unittest

from msgpack_lite import Malformed, pack, unpack

# Bytes from the specification's format table.
PAIRS = [
    (None, "c0"), (False, "c2"), (True, "c3"),
    (0, "00"), (127, "7f"), (128, "cc80"), (255, "ccff"), (256, "cd0100"), (65535, "cdffff"), (65536, "ce00010000"),
    (2**32 - 1, "ceffffffff"), (2**32, "cf0000000100000000"), (2**64 - 1, "cfffffffffffffffff"),
    (-1, "ff"), (-32, "e0"), (-33, "d0df"), (-128, "d080"), (-129, "d1ff7f"), (-32769, "d2ffff7fff"),
    (-(2**63), "d38000000000000000"),
    (1.5, "cb3ff8000000000000"),
    ("", "a0"), ("é", "a2c3a9"), ("x" * 32, "d920" + "78" * 32), ("x" * 256, "da0100" + "78" * 256),
    ([], "90"), ([1, [2]], "92019102"), ([0] * 16, "dc0010" + "00" * 16),
    ({}, "80"), ({"a": {"b": None}}, "81a16181a162c0"),
]  # fmt: skip

MALFORMED = [
    "", "c1", "c4", "c40100", "d40100", "d6ff00000001", "c7010500", "d47240", "92c0", "a2c3", "d9", "ddffffffff",
    "dfffffffff", "8101c0", "82a161c0a161c0", "82a161c0d90161c0", "a1ff", "a2c0af", "a3eda080", "c0c0",
]  # fmt: skip


class MessagePack(unittest.TestCase):
    def test_packs_as_the_specification_says_and_back(self):
        for value, digits in PAIRS:
            with self.subTest(digits=digits[:20]):
                self.assertEqual(pack(value).hex(), digits)
                self.assertEqual(unpack(bytes.fromhex(digits)), value)

    def test_reads_every_width(self):
        for form, code in ((">B", 0xCC), (">H", 0xCD), (">I", 0xCE), (">Q", 0xCF), (">b", 0xD0), (">h", 0xD1), (">i", 0xD2), (">q", 0xD3)):
            self.assertEqual(unpack(bytes([code]) + struct.pack(form, 5)), 5)
        for digits in ("a161", "d90161", "da000161", "db0000000161"):
            self.assertEqual(unpack(bytes.fromhex(digits)), "a")
        for digits in ("91c0", "dc0001c0", "dd00000001c0"):
            self.assertEqual(unpack(bytes.fromhex(digits)), [None])
        for digits in ("81a161c0", "de0001a161c0", "df00000001a161c0"):
            self.assertEqual(unpack(bytes.fromhex(digits)), {"a": None})
        self.assertEqual(unpack(bytes.fromhex("ca3fc00000")), 1.5)

    def test_refuses_what_the_protocol_does_not_have(self):
        for digits in MALFORMED:
            with self.subTest(digits=digits), self.assertRaises(Malformed):
                unpack(bytes.fromhex(digits))

    def test_refuses_to_pack_what_the_protocol_does_not_have(self):
        for value, error in ((b"a", TypeError), ({1, 2}, TypeError), (2**64, OverflowError), (-(2**63) - 1, OverflowError)):
            with self.assertRaises(error):
                pack(value)


if __name__ == "__main__":
    unittest.main()
