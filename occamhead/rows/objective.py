"""What the fits share: rows and their targets, what is minimised, and how."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

Rows: TypeAlias = tuple[Tensor, Tensor]
"""Features [rows, features] and labels [rows], or targets [rows, outputs]."""

# Below this standard deviation a feature is constant and keeps a scale of 1.
SMALLEST_DEVIATION = 1e-6


def standardisation(features: Tensor) -> Rows:
    """Mean and scale of each feature; the scale of a constant feature is 1."""
    deviation = features.std(dim=0, correction=0)
    return features.mean(dim=0), torch.where(deviation > SMALLEST_DEVIATION, deviation, 1.0)


def minimise(
    parameters: Sequence[Tensor], objective: Callable[[], Tensor], max_steps: int = 100
) -> float:
    """Minimise a smooth function of some leaf tensors by L-BFGS, in place.

    Args:
        parameters: Leaf tensors that require gradients.
        objective: The function's value at their present values.
        max_steps: Most iterations.

    Returns:
        The value at the end.
    """
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=max_steps,
        # A cross-entropy that changes by less (nats) classifies the same.
        tolerance_change=1e-7,
        tolerance_grad=1e-5,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = objective()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(closure)
        return objective().item()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one CPU thread for a while.

    The networks' products are so small that a second thread costs more than it gives, and many
    times more where another process wants the core.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Objective(ABC):
    """What scores are trained towards: a loss, the targets it takes, and how a score is judged.

    Where there are several outputs, losses are summed over them and averaged over the rows, so
    that what one output learns does not depend on how many others there are.
    """

    metric: ClassVar[str]
    """What :meth:`rate` measures."""

    @abstractmethod
    def check(self, targets: Tensor, outputs: int, rows: int) -> None:
        """Raise ValueError unless the targets are of this kind, one row each."""

    def check_scale(self, targets: Tensor) -> None:  # noqa: B027
        """Raise ValueError if the targets of a fit are of a unit that it cannot cope with."""

    @abstractmethod
    def losses(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The loss of each row of scores [rows, outputs], shape [rows]."""

    def loss(self, scores: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        """The mean loss of the rows, each times its weight where there are some, [rows]."""
        losses = self.losses(scores, targets)
        return losses.mean() if weight is None else (losses * weight.to(losses)).mean()

    @abstractmethod
    def taught(self, scores: Tensor) -> Tensor:
        """The targets that a teacher's scores stand for."""

    @abstractmethod
    def probabilities(self, scores: Tensor) -> Tensor:
        """The probabilities that scores stand for, [..., outputs].

        Raises:
            ValueError: If the scores are the numbers that were asked for.
        """

    @abstractmethod
    def answer(self, scores: Tensor, reject_below: float) -> Tensor:
        """What scores [..., outputs] say, and -1 where it is less probable than `reject_below`."""

    @abstractmethod
    def cautious_loss(self, scores: Tensor, targets: Tensor, rows: int) -> Tensor:
        """The mean loss, each answer seen once more than in `rows` rows (Laplace's succession).

        Raises:
            ValueError: If the scores stand for no probabilities.
        """

    @abstractmethod
    def contrast(self, features: Tensor, targets: Tensor, outputs: int) -> Tensor:
        """How much each standardised feature tells of each output, >= 0, [outputs, features].

        In standard deviations of the feature between the rows that have the label and those that
        have not.
        """

    @abstractmethod
    def meter(self, outputs: int) -> Any:
        """A torchmetrics metric of what :meth:`judged` gives."""

    def judged(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and targets as the metric takes them."""
        return scores, targets

    def rate(self, scores: Tensor, targets: Tensor) -> float:
        """How good the scores of some rows are, by `metric`; 1 is best."""
        meter = self.meter(scores.shape[-1])
        meter.update(*self.judged(scores, targets))
        return float(meter.compute())


class CrossEntropy(Objective):
    """One label per row: the index of its class."""

    metric = "accuracy"

    def check(self, targets: Tensor, outputs: int, rows: int) -> None:
        check_labels(targets, outputs, rows)

    def losses(self, scores: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(scores, targets, reduction="none")

    def loss(self, scores: Tensor, targets: Tensor, weight: Tensor | None = None) -> Tensor:
        if weight is None:
            return F.cross_entropy(scores, targets)
        return super().loss(scores, targets, weight)

    def taught(self, scores: Tensor) -> Tensor:
        return torch.softmax(scores, dim=-1)

    def probabilities(self, scores: Tensor) -> Tensor:
        return torch.softmax(scores, dim=-1)

    def answer(self, scores: Tensor, reject_below: float) -> Tensor:
        probability, label = self.probabilities(scores).max(dim=-1)
        return torch.where(probability >= reject_below, label, -1)

    def cautious_loss(self, scores: Tensor, targets: Tensor, rows: int) -> Tensor:
        classes = scores.shape[-1]
        return F.cross_entropy(scores, targets, label_smoothing=classes / (rows + classes))

    def contrast(self, features: Tensor, targets: Tensor, outputs: int) -> Tensor:
        counts = torch.bincount(targets, minlength=outputs).to(features)
        sums = features.new_zeros(outputs, features.shape[1]).index_add_(0, targets, features)
        return _mean_differences(features, counts, sums)

    def meter(self, outputs: int) -> Any:
        from torchmetrics.classification import MulticlassAccuracy

        return MulticlassAccuracy(outputs, average="micro")


class BinaryCrossEntropy(Objective):
    """Any number of labels per row: a 0 or a 1 for each output, decided at probability 1/2."""

    metric = "accuracy"

    def check(self, targets: Tensor, outputs: int, rows: int) -> None:
        _check_matrix(targets, outputs, rows, "0 or 1")
        bad = targets[(targets != 0) & (targets != 1)]
        if bad.numel():
            raise ValueError(
                f"the targets of binary_cross_entropy must be 0 or 1, got {bad[0].item()}; for"
                " other numbers take squared_error"
            )

    def losses(self, scores: Tensor, targets: Tensor) -> Tensor:
        losses = F.binary_cross_entropy_with_logits(scores, targets.to(scores), reduction="none")
        return losses.sum(dim=-1)

    def taught(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores)

    def probabilities(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores)

    def answer(self, scores: Tensor, reject_below: float) -> Tensor:
        present = self.probabilities(scores)
        return torch.where(present.maximum(1 - present) >= reject_below, (scores > 0).long(), -1)

    def cautious_loss(self, scores: Tensor, targets: Tensor, rows: int) -> Tensor:
        smoothed = (rows * targets.to(scores) + 1) / (rows + 2)
        return F.binary_cross_entropy_with_logits(scores, smoothed)

    def contrast(self, features: Tensor, targets: Tensor, outputs: int) -> Tensor:
        return class_contrast(features, targets)

    def judged(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        return (scores > 0).long(), targets.long()

    def meter(self, outputs: int) -> Any:
        from torchmetrics.classification import BinaryAccuracy

        return BinaryAccuracy()


class SquaredError(Objective):
    """A number for each output. Scores are of the targets' unit, so let these be near 1."""

    metric = "r2"

    def check(self, targets: Tensor, outputs: int, rows: int) -> None:
        _check_matrix(targets, outputs, rows, "a number")

    def check_scale(self, targets: Tensor) -> None:
        deviation = targets.std(dim=0, correction=0)
        centre = targets.mean(dim=0).abs()
        for output, (scale, mean) in enumerate(
            zip(deviation.tolist(), centre.tolist(), strict=True)
        ):
            if not 0.01 <= scale <= 100 or mean > 100:
                raise ValueError(
                    f"output {output} has mean {mean:.4g} and standard deviation {scale:.4g}; the"
                    " penalties and rates of a fit suit targets near 1: standardise them, y ="
                    " (y - y.mean(0)) / y.std(0)"
                )

    def losses(self, scores: Tensor, targets: Tensor) -> Tensor:
        return (scores - targets.to(scores)).square().sum(dim=-1)

    def taught(self, scores: Tensor) -> Tensor:
        return scores

    def probabilities(self, scores: Tensor) -> Tensor:
        raise ValueError(
            "squared_error: the scores are the numbers that are predicted, without probabilities;"
            " call predict"
        )

    def answer(self, scores: Tensor, reject_below: float) -> Tensor:
        if reject_below:
            raise ValueError(
                "squared_error: numbers have no probability below which they could be rejected;"
                " leave reject_below out"
            )
        return scores

    def cautious_loss(self, scores: Tensor, targets: Tensor, rows: int) -> Tensor:
        self.probabilities(scores)
        raise AssertionError("unreachable")

    def contrast(self, features: Tensor, targets: Tensor, outputs: int) -> Tensor:
        mean, scale = standardisation(targets.to(features))
        standardised = (targets.to(features) - mean) / scale
        # Of a label that half of the rows have, the difference is twice the covariance.
        return 2 * (standardised.T @ features / len(features)).abs()

    def meter(self, outputs: int) -> Any:
        from torchmetrics.regression import R2Score

        return R2Score()


CROSS_ENTROPY = CrossEntropy()
OBJECTIVES: dict[str, Objective] = {
    "cross_entropy": CROSS_ENTROPY,
    "binary_cross_entropy": BinaryCrossEntropy(),
    "squared_error": SquaredError(),
}


def get_objective(loss: str) -> Objective:
    """The objective of a loss's name; ValueError with near names if there is none."""
    if loss not in OBJECTIVES:
        near = difflib.get_close_matches(loss, OBJECTIVES, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"loss must be one of {', '.join(OBJECTIVES)}, got {loss!r}{hint}")
    return OBJECTIVES[loss]


def class_contrast(features: Tensor, members: Tensor) -> Tensor:
    """How far the mean of the rows with a label is from that of the others, for each feature.

    Args:
        features: Standardised features, [rows, features].
        members: 1 where a row has a label and 0 where not, [rows, labels].

    Returns:
        Absolute differences in standard deviations, [labels, features].
    """
    members = members.to(features)
    return _mean_differences(features, members.sum(dim=0), members.T @ features)


def _mean_differences(features: Tensor, counts: Tensor, sums: Tensor) -> Tensor:
    """See :func:`class_contrast`, from the rows of each label [labels] and their sums."""
    counts = counts.unsqueeze(-1)
    others = (features.sum(dim=0) - sums) / (len(features) - counts).clamp_min(1.0)
    return (sums / counts.clamp_min(1.0) - others).abs()


def check_labels(labels: Tensor, num_classes: int, rows: int) -> None:
    """Raise ValueError unless there is one class index per row, each in range."""
    if labels.shape != (rows,):
        remedy = "; take y[:, 0]" if labels.shape == (rows, 1) else ""
        raise ValueError(
            f"expected one label per row, shape ({rows},), got {tuple(labels.shape)}{remedy}"
        )
    if labels.is_floating_point():
        raise ValueError(f"labels must be whole class indices, got dtype {labels.dtype}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        bad = int(labels.min()) if int(labels.min()) < 0 else int(labels.max())
        raise ValueError(f"label {bad} is out of range for {num_classes} classes")


def _check_matrix(targets: Tensor, outputs: int, rows: int, wanted: str) -> None:
    if targets.shape != (rows, outputs):
        raise ValueError(
            f"wanted {wanted} for each row and output, shape ({rows}, {outputs}), got targets of"
            f" shape {tuple(targets.shape)}"
        )
    if not targets.isfinite().all():
        raise ValueError("the targets must be finite; leave out the rows where they are not")
