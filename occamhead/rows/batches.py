"""Batches that every process sees alike, in an order that a checkpoint holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler, SequentialSampler


class Order(DistributedSampler[int]):
    """All rows, in each process of a distributed run, in their order or shuffled.

    Lightning gives every process rows of its own unless a loader's sampler is distributed already;
    this one is, to a single share. So the batches of a step are those of one process, whatever the
    number of processes; what each of them computes of a batch is up to the module.

    Args:
        rows: Number of rows.
        shuffle: Draw a new order each time, by torch's global generator; that of the first process
            counts.
    """

    def __init__(self, rows: int, shuffle: bool) -> None:
        super().__init__(range(rows), num_replicas=1, rank=0, shuffle=shuffle)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(range(len(self)))
        seed = [int(torch.empty((), dtype=torch.int64).random_().item())]
        if dist.is_available() and dist.is_initialized():
            dist.broadcast_object_list(seed, src=0)
        generator = torch.Generator().manual_seed(seed[0])
        return iter(torch.randperm(len(self), generator=generator).tolist())


@dataclass
class _Place:
    """Torch's generator before an order was drawn, and how many of its batches were given."""

    began: torch.Tensor
    passed: int


class Batches(DataLoader[Any]):
    """A ``DataLoader`` that can be asked where it is, and go on from there.

    Lightning keeps its state in checkpoints. A loader that goes on in the middle of an epoch draws
    the epoch's order again, passes over the batches that were trained on, and leaves torch's global
    generator as it found it. So does one whose batches come in their order, whether or not it is
    looked at: validation is not to change what is trained. See ``DataLoader`` for the arguments.
    """

    _at: _Place | None = None
    _resume: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        state, self._resume = self._resume, None
        now = torch.get_rng_state()
        if state is not None:
            torch.set_rng_state(state["generator"])
        began, passed = torch.get_rng_state(), 0 if state is None else state["batches"]
        batches = super().__iter__()
        # With the first batch the order is drawn, at the latest.
        first = [batch for _, batch in zip(range(passed + 1), batches, strict=False)][passed:]
        if state is not None or not self._shuffles():
            torch.set_rng_state(now)
        return self._counted(itertools.chain(first, batches), _Place(began, passed))

    def _shuffles(self) -> bool:
        in_order = isinstance(self.sampler, SequentialSampler)
        return not in_order and getattr(self.sampler, "shuffle", True)

    def _counted(self, batches: Iterator[Any], place: _Place) -> Iterator[Any]:
        for batch in batches:
            # Others may have looked at the loader in the meantime: it is where it last gave from.
            place.passed += 1
            self._at = place
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is; nothing at the end of an epoch or before the first."""
        if self._at is None or self._at.passed == len(self):
            return {}
        return {"generator": self._at.began, "batches": self._at.passed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there when next asked for batches."""
        self._resume = state or None


def sees_all(loader: Any) -> bool:
    """Whether a loader gives every process of a distributed run the same batches."""
    return isinstance(getattr(loader, "sampler", None), Order)
