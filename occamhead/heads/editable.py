"""What can be asked of a head once it is there: the same without a feature, or with it set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from occamhead.checks import check_width
from occamhead.heads.limits import feature_number
from occamhead.heads.naming import Named

# What refits a head; by name, as it is built on heads.
_EDIT = ("occamhead.heads.editing", "edit")


class Editable(Named):
    """A head of which a person can say what it may read."""

    origin: Any = None
    """The rows of the fit that made the head, an :class:`occamhead.heads.editing.Origin`: what
    :meth:`edit` starts from. It is not saved, pickled or copied."""

    def edit(
        self,
        *,
        drop: Iterable[Any] = (),
        keep: Iterable[Any] | None = None,
        sign: Mapping[Any, Any] | None = None,
        force: Iterable[Any] = (),
        data: Any = None,
    ) -> Any:
        """Refit the weighted sums with as many features, the best ones under some limits.

        Features are given by number, by the names that the head has for them, or as "x857".

        Args:
            drop: Features that must not be read, whose columns the dense head that teaches does
                not see either.
            keep: The only features that may be read.
            sign: For some features "+" or "-": the side on which they stand, if they are read. Of
                two classes "+" speaks for the second; of more, name the class:
                ``{538: {"bees": "+"}}``. A feature that the rows give the other sign is not read.
            force: Features that must be read.
            data: Rows of training and validation, as :func:`occamhead.fit_path` takes them; None
                takes those of the fit that gave the head. A head that was loaded or copied does
                not know them.

        Returns:
            An :class:`occamhead.heads.editing.Edited`: the new `head`, and the accuracy on rows
            held out `before` and `after`. The new head can be edited again: limits add up.

        Raises:
            ValueError: If the formula is not a weighted sum for each class, the rows are not
                known, there is no such feature, or the limits contradict each other.

        Example:
            >>> import torch
            >>> from occamhead import fit_path
            >>> x = torch.randn(100, 6)
            >>> head = fit_path((x, (x[:, 1] > x[:, 4]).long()), budgets=(2,)).select().head
            >>> head.edit(drop=[4], force=[0]).head.formula().features
            (0, 1)
        """
        module, name = _EDIT
        made: Any = getattr(import_module(module), name)
        return made(self, drop=drop, keep=keep, sign=sign, force=force, data=data)

    def intervene(self, x: Tensor, values: Mapping[Any, Any]) -> Tensor:
        """The scores of rows in which some features are set.

        Args:
            x: Features, [..., in_features]; they stay as they are.
            values: For each of these features, by number or name, a number or one for each row,
                [...].

        Returns:
            What the head says of the changed rows, [..., out_features].

        Raises:
            ValueError: If there is no such feature.

        Example:
            >>> import torch
            >>> from occamhead import OccamHead
            >>> head, x = OccamHead(8, 2).eval(), torch.randn(5, 8)
            >>> head.intervene(x, {3: 0.0}).shape
            torch.Size([5, 2])
        """
        check_width(x, self.in_features)
        changed = x.clone()
        for key, value in values.items():
            number = feature_number(key, self.in_features, self.names)
            changed[..., number] = torch.as_tensor(value).to(x)
        return self(changed)

    def __getstate__(self) -> dict[str, Any]:
        # A file, or a copy, is of the head and not of the rows.
        return {name: value for name, value in self.__dict__.items() if name != "origin"}
