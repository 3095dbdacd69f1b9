"""An array on disk that is written batch by batch, and goes on after a stop."""

import json
import logging
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from occamhead.saving.sealed import seal
from occamhead.saving.whole import flush, write_whole

log = logging.getLogger("occamhead")

# What is written is made sure of every so many seconds, or bytes.
SHARD_SECONDS, SHARD_BYTES = 5.0, 64_000_000


class Growing:
    """Rows of float32 that are being written to a file, shard by shard.

    The file is as large as it will be from the start, and mapped: no more of it needs to be in
    memory than is being written. Beside it an index says which rows are done, with a checksum of
    each shard; after a stop, rows of shards that are as they were are not written again.

    Args:
        file: Where the array is to be when it is whole; until then it lies beside.
        shape: Of the array, (rows, width).
        batch: Rows that are computed together: it goes on at a multiple.

    Attributes:
        array: The rows, [rows, width].
        done: How many of them are written, from the first on.
    """

    def __init__(self, file: Path, shape: tuple[int, int], batch: int) -> None:
        self.file, self.shape, self.batch = file, shape, batch
        self._part, self._index = file.with_suffix(".part.npy"), file.with_suffix(".index.json")
        self._shards: list[tuple[int, int]] = []
        self._at = time.monotonic()
        found = self._open()
        if found is None:
            found = np.lib.format.open_memmap(self._part, "w+", np.float32, shape)
        self.array: np.memmap = found
        self.done = self._shards[-1][0] if self._shards else 0

    def _open(self) -> np.memmap | None:
        """What a stopped run left, and how much of it is as it was; None if there is nothing."""
        try:
            index = json.loads(self._index.read_text())
            array = np.lib.format.open_memmap(self._part, "r+")
            shards = [(int(end), int(crc)) for end, crc in index["shards"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        fits = (array.shape, array.dtype, index.get("batch")) == (
            self.shape, np.float32, self.batch,
        )  # fmt: skip
        if not fits:
            return None
        start = 0
        for end, crc in shards:
            if not start < end <= len(array) or zlib.crc32(array[start:end].data) != crc:
                log.warning("%s: damaged from row %d on, computed again", self._part, start)
                break
            self._shards.append((end, crc))
            start = end
        return array

    def write(self, rows: NDArray[np.float32]) -> None:
        """Write the next rows."""
        self.array[self.done : self.done + len(rows)] = rows
        self.done += len(rows)
        start = self._shards[-1][0] if self._shards else 0
        much = (self.done - start) * self.array.strides[0] >= SHARD_BYTES
        if much or time.monotonic() - self._at >= SHARD_SECONDS:
            self._sure()

    def _sure(self) -> None:
        start = self._shards[-1][0] if self._shards else 0
        if start == self.done:
            return
        self.array.flush()
        self._shards.append((self.done, zlib.crc32(self.array[start : self.done].data)))
        write_whole(self._index, json.dumps({"batch": self.batch, "shards": self._shards}))
        # Mapped anew, so that what is written need not stay in memory.
        self.array = np.lib.format.open_memmap(self._part, "r+")
        self._at = time.monotonic()

    def leave(self) -> None:
        """Keep what is written for another time; nothing, if that is nothing."""
        if self.done:
            self._sure()
        else:
            self._part.unlink(missing_ok=True)

    def finish(self) -> None:
        """Seal the array and let it take its place."""
        assert self.done == len(self.array)
        self.array.flush()
        del self.array
        seal(self._part)
        flush(self._part)
        self._part.replace(self.file)
        self._index.unlink(missing_ok=True)


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Be the only process that writes a file; waits, and says so, while another does."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("%s: another process is writing it, waiting", file)
        lock.acquire()
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
