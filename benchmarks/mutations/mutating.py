"""How an input is changed: bits, blocks, and what parsers stumble over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Numbers, brackets, names and bytes that mean something to one reader or another.
WORDS = (
    b"9**9**9", b"1e999", b"-1", b"0", b"nan", b"inf", b"9" * 60, b"-9999999999999", b"4294967295",
    b"(" * 50, b")" * 50, b"[" * 50, b"{", b"}", b"\"", b"'", b"`", b",", b":", b"\0", b"\n", b"\r",
    b"\x1b[31m", b"\xff\xfe", b"\xe2\x80\xae", b"x0", b"x99999999", b"sin(", b"max(", b" if ",
    b" else ", b"null", b"true", b"__class__", b"class_path", b"--", b"=", b"%", b"//0", b"**-x0",
    b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\0",
)  # fmt: skip


def mutated(seeds: Sequence[bytes], random: np.random.Generator) -> bytes:
    """One of the seeds with one to four changes."""
    data = bytearray(seeds[random.integers(len(seeds))])
    for _ in range(int(random.integers(1, 5))):
        place, end = sorted(int(i) for i in random.integers(0, len(data) + 1, 2))
        match int(random.integers(10)):
            case 0 | 1 | 2 if data:
                data[place % len(data)] ^= 1 << int(random.integers(8))
            case 3:
                data[place:place] = WORDS[random.integers(len(WORDS))]
            case 4:
                word = WORDS[random.integers(len(WORDS))]
                data[place : place + len(word)] = word
            case 5:
                del data[place : place + 1 + int(random.integers(8))]
            case 6:
                del data[end:]
            case 7:
                data[place : place + 64] = bytes(len(data[place : place + 64]))
            case 8:
                part = data[place : place + 200]
                data[end:end] = part * int(random.integers(1, 4))
            case _:
                other = seeds[random.integers(len(seeds))]
                start = int(random.integers(0, len(other) + 1))
                data[place : place + 40] = other[start : start + 40]
    return bytes(data)
