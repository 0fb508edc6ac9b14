"""Mutants: what accidents and people make of a file."""

import random
import re
import struct
from collections.abc import Callable

LARGE = [b"99999999999999999999", b"-1", b"0", b"1e999", b"4294967295", b"nan", b"1" * 5000]
WORDS = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF]


def mutant(content: bytes, seed: object) -> bytes:
    """`content` changed in one to four ways that `seed` draws; the same for the same seed."""
    chance = random.Random(repr(seed))
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        content = chance.choice(WAYS)(content, chance)
    return content


def cut(content: bytes, chance: random.Random) -> bytes:
    """Its beginning or, seldom, its end alone."""
    place = chance.randrange(len(content) + 1)
    return content[:place] if chance.random() < 0.8 else content[place:]


def flipped(content: bytes, chance: random.Random) -> bytes:
    """A few bits are others."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8, 64]) if content else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwritten(content: bytes, chance: random.Random) -> bytes:
    """A run of bytes is noise, or one byte again and again."""
    start, length = place(content, chance)
    noise = chance.randbytes(length) if chance.random() < 0.5 else chance.randbytes(1) * length
    return content[:start] + noise + content[start + length :]


def inserted(content: bytes, chance: random.Random) -> bytes:
    """A run of noise stands between."""
    start, length = place(content, chance)
    return content[:start] + chance.randbytes(length) + content[start:]


def doubled(content: bytes, chance: random.Random) -> bytes:
    """A block stands twice, or a thousand times where it is short."""
    start, length = place(content, chance)
    times = 1000 if length < 64 and chance.random() < 0.3 else 1
    return content[:start] + content[start : start + length] * times + content[start:]


def moved(content: bytes, chance: random.Random) -> bytes:
    """A block stands where another stood."""
    start, length = place(content, chance)
    to = chance.randrange(len(content) + 1)
    return content[:to] + content[start : start + length] + content[to + length :]


def numbered(content: bytes, chance: random.Random) -> bytes:
    """A number in a text is a large one, a negative one, or none."""
    found = list(re.finditer(rb"\d+", content[: 1 << 20]))
    if not found:
        return flipped(content, chance)
    one = chance.choice(found)
    return content[: one.start()] + chance.choice(LARGE) + content[one.end() :]


def extreme(content: bytes, chance: random.Random) -> bytes:
    """A binary number of 1 to 8 bytes is an extreme one."""
    kind = chance.choice(["<B", "<H", ">H", "<I", ">I", "<Q", ">Q"])
    size = struct.calcsize(kind)
    start = chance.randrange(min(len(content), 4096) + 1)
    value = chance.choice(WORDS) & ((1 << 8 * size) - 1)
    return content[:start] + struct.pack(kind, value) + content[start + size :]


def place(content: bytes, chance: random.Random) -> tuple[int, int]:
    """(start, length) of a run in `content`, short ones more often."""
    start = chance.randrange(len(content) + 1)
    return start, min(chance.choice([1, 2, 4, 16, 64, 1024]), len(content) - start)


WAYS: list[Callable[[bytes, random.Random], bytes]] = [
    *(cut, flipped, flipped, overwritten, inserted, doubled, moved, numbered, numbered, extreme),
    extreme,
]
