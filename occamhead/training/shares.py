"""The part of a batch that a process computes, where all processes see the same batches."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from occamhead.rows.batches import sees_all


def share_of(batch: tuple[Any, ...], trainer: pl.Trainer | None) -> tuple[tuple[Any, ...], float]:
    """Every so manieth row of a batch, and what the mean loss of these counts.

    Processes average their gradients, whatever their numbers of rows; with the factor the average
    is the gradient of the mean over the whole batch, up to the order in which it is summed.

    Args:
        batch: Tensors of as many rows, the same in all processes.
        trainer: The processes; where each has batches of its own, they are taken whole. None is one
            process.

    Returns:
        The rows of this process, at least one, and the factor: 1 for a single process, 0 where
        there are fewer rows than processes and this one has none.
    """
    if trainer is None or trainer.world_size == 1 or not sees_all(trainer.train_dataloader):
        return batch, 1.0
    world, rank = trainer.world_size, trainer.global_rank
    rows = len(batch[0])
    share = len(range(rank, rows, world))
    if not share:
        return tuple(part[:1] for part in batch), 0.0
    return tuple(part[rank::world] for part in batch), share * world / rows
