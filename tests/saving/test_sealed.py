"""The seal at the end of a file."""

import numpy as np
import pytest
import torch

from occamhead.saving.content import content_digest
from occamhead.saving.sealed import SEAL_BYTES, Damaged, check_seal, seal

CONTIGUOUS = torch.contiguous_format


@pytest.fixture
def sealed(tmp_path):
    file = tmp_path / "some.npy"
    np.save(file, np.random.default_rng(0).standard_normal((300, 20)).astype(np.float32))
    seal(file)
    return file


def test_a_sealed_array_is_whole_and_everybody_reads_it(sealed):
    check_seal(sealed)
    assert np.load(sealed, mmap_mode="r").shape == (300, 20)


def test_every_flipped_bit_is_noticed(sealed):
    """Every bit of the header and of the seal, and 500 between."""
    whole = sealed.read_bytes()
    between = np.random.default_rng(1).integers(128, len(whole) - SEAL_BYTES, 500)
    places = [*range(128), *between.tolist(), *range(len(whole) - SEAL_BYTES, len(whole))]
    for place in places:
        for bit in range(8) if place < 128 or place >= len(whole) - SEAL_BYTES else (place % 8,):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            sealed.write_bytes(damaged)
            with pytest.raises(Damaged, match=str(sealed)):
                check_seal(sealed)


def test_blocks_of_zeros_rows_in_another_order_and_cuts_are_noticed(sealed):
    whole = sealed.read_bytes()
    rows = np.load(sealed)
    for start in range(0, len(whole) - 4096, 997):
        sealed.write_bytes(whole[:start] + bytes(4096) + whole[start + 4096 :])
        with pytest.raises(Damaged):
            check_seal(sealed)
    body = len(whole) - SEAL_BYTES - rows.nbytes
    for i in range(0, 300, 7):
        other = rows.copy()
        other[[i, 299 - i]] = other[[299 - i, i]]
        sealed.write_bytes(whole[:body] + other.tobytes() + whole[-SEAL_BYTES:])
        with pytest.raises(Damaged):
            check_seal(sealed)
    for length in (0, 1, SEAL_BYTES - 1, SEAL_BYTES, 5000, len(whole) - 1):
        sealed.write_bytes(whole[:length])
        with pytest.raises(Damaged, match="cut off"):
            check_seal(sealed)
    sealed.write_bytes(whole + b"\n")
    with pytest.raises(Damaged):
        check_seal(sealed)


def test_what_is_longer_than_a_block_is_read_to_its_end(tmp_path):
    file = tmp_path / "long"
    file.write_bytes(bytes(3_000_000))
    seal(file)
    check_seal(file)
    with file.open("r+b") as content:
        content.seek(2_999_999)
        content.write(b"\1")
    with pytest.raises(Damaged):
        check_seal(file)


def test_a_digest_is_of_the_content_and_not_of_how_it_lies_in_memory():
    odd = torch.zeros(40)[::33][:1]
    assert odd.stride() == (33,)
    wide = torch.arange(12.0).view(3, 4).T
    for tensor in (odd, wide, torch.ones(2, dtype=torch.bfloat16), torch.zeros(0), torch.ones(())):
        assert content_digest(tensor) == content_digest(tensor.clone(memory_format=CONTIGUOUS))
    others = [1, 1.0, True, "1", None, [1], (), {}, {"a": 1}, {"a": [1]}, {"b": 1}, torch.ones(1),
              torch.ones(1, 1), torch.ones(1, dtype=torch.float64), np.ones(1)]  # fmt: skip
    assert len({content_digest(value) for value in others}) == len(others)
    assert content_digest((1, "a")) == content_digest([1, "a"])
