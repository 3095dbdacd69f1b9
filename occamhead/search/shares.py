"""One search in several processes: each judges its share of a step's samples.

All processes hold the same network, elites and archive. What a sample is depends on the seed, the
step and its number alone, so each process draws and judges every so manieth number, and hands the
others the routes of those that may matter. All then take the same functions in the same order, as
one process would, and learn the same from them: the result is the same to the bit, however many
processes there are.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

Routes = NDArray[np.int32]


class Shares(Protocol):
    """The processes of a search."""

    rank: int
    size: int

    def together(self, numbers: NDArray[np.int64], routes: Routes) -> Routes:
        """The routes of all processes in the order of their samples' numbers.

        Args:
            numbers: Of the samples of this process, [any].
            routes: Their edges, [any, rows of the network].
        """

    def agreed(self, text: str) -> str:
        """What the first process says."""


class Alone:
    """A search in one process."""

    rank, size = 0, 1

    def together(self, numbers: NDArray[np.int64], routes: Routes) -> Routes:
        return routes

    def agreed(self, text: str) -> str:
        return text


ALONE = Alone()


class Group:
    """A search in the processes of a group of ``torch.distributed``.

    Args:
        group: The group, such as ``torch.distributed.group.WORLD``.
        device: Where a back end's messages lie, such as "cuda" for NCCL.

    Attributes:
        sent: Bytes that this process has sent so far.

    Raises:
        ValueError: If this process is not in the group, or no group has been set up.
    """

    def __init__(self, group: dist.ProcessGroup | None, device: str | torch.device = "cpu") -> None:
        if group is None:
            raise ValueError(
                "there is no process group: start the processes by torchrun, and call"
                " torch.distributed.init_process_group first"
            )
        self.group, self.device, self.sent = group, device, 0
        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        if self.rank < 0:
            raise ValueError("this process is not in the group that it was asked to search with")

    def together(self, numbers: NDArray[np.int64], routes: Routes) -> Routes:
        width = routes.shape[1]
        counts = [torch.empty(1, dtype=torch.int64, device=self.device) for _ in range(self.size)]
        own = torch.tensor([len(numbers)], dtype=torch.int64, device=self.device)
        dist.all_gather(counts, own, group=self.group)
        most = max(int(count) for count in counts)
        self.sent += 8
        if not most:
            return routes
        # Number and edges side by side, as one message.
        message = np.zeros((most, 2 + width), np.int32)
        message[: len(numbers), :2] = numbers.astype(np.int64).view(np.int32).reshape(-1, 2)
        message[: len(numbers), 2:] = routes
        sent = torch.from_numpy(message).to(self.device)
        received = [torch.empty_like(sent) for _ in range(self.size)]
        dist.all_gather(received, sent, group=self.group)
        self.sent += message.nbytes
        parts = [
            part[: int(count)].cpu().numpy() for part, count in zip(received, counts, strict=True)
        ]
        every = np.concatenate(parts)
        numbered = np.ascontiguousarray(every[:, :2]).view(np.int64)[:, 0]
        return np.ascontiguousarray(every[np.argsort(numbered, kind="stable"), 2:])

    def agreed(self, text: str) -> str:
        said: list[Any] = [text]
        dist.broadcast_object_list(said, src=dist.get_global_rank(self.group, 0), group=self.group)
        return str(said[0])
