"""Scores as probabilities: a temperature fitted on rows that were held out, and its error."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from occamhead.checks import check_counts
from occamhead.rows.objective import CROSS_ENTROPY, Objective, minimise

# Beyond these log-temperatures probabilities are those of a coin, or of the arg max.
GREATEST = math.log(1000.0)
# Standard errors of the likelihood that a temperature has to gain on rows it was not fitted to. On
# 200 pairs of classes of Tiny ImageNet a whole one or half of one left more error, and none made
# probabilities worse more often.
CLEAR = 0.25


def fit_temperature(scores: Tensor, labels: Tensor, objective: Objective = CROSS_ENTROPY) -> float:
    """The temperature that makes scores the likeliest as log-probabilities of the labels.

    Minimises the cross-entropy of `scores / temperature`, with every answer seen once more in all
    (Laplace's rule of succession, as Platt 1999 smooths his targets): where a few held-out rows
    are all right, this keeps the probabilities off 1.

    Args:
        scores: Scores of held-out rows, [rows, classes]; of several formulas that are trained
            alike, [formulas, rows, classes].
        labels: Class of each row, [rows], or 0 and 1 for each label, [rows, labels].
        objective: How the scores stand for probabilities.

    Returns:
        A temperature between 1/1000 and 1000: above 1 where the scores are overconfident.

    Raises:
        ValueError: If there are no rows, scores that are not finite, labels of another kind, or an
            objective without probabilities.

    Source: Guo et al. 2017 (arXiv 1706.04599), section 4.2.
    """
    rows, classes = scores.shape[-2:]
    if not rows or len(labels) != rows:
        raise ValueError(
            f"wanted scores of at least one row and a label for each, got scores"
            f" {list(scores.shape)} and labels {list(labels.shape)}"
        )
    if not scores.isfinite().all():
        raise ValueError("the scores of the held-out rows are not all finite; clean the features")
    objective.check(labels, classes, rows)
    flat = scores.detach().double().reshape(-1, classes)
    targets = torch.cat([labels.to(flat.device)] * (len(flat) // rows))
    log_temperature = torch.zeros((), dtype=torch.float64, device=flat.device, requires_grad=True)
    minimise(
        [log_temperature],
        lambda: objective.cautious_loss(
            flat * torch.exp(-log_temperature.clamp(-GREATEST, GREATEST)), targets, rows
        ),
    )
    return math.exp(max(-GREATEST, min(GREATEST, log_temperature.item())))


def choose_temperature(
    scores: Tensor, labels: Tensor, objective: Objective = CROSS_ENTROPY, folds: int = 5
) -> float:
    """The temperature of :func:`fit_temperature` where one is clearly needed, else 1.

    It is needed if temperatures that were fitted to four fifths of the rows make the labels of the
    others likelier than the scores as they are do, by more than a quarter of the
    standard error.

    Args:
        scores, labels, objective: See :func:`fit_temperature`.
        folds: How many parts are held out in turn, fewer where there are fewer rows.

    Raises:
        ValueError: As :func:`fit_temperature` does.
    """
    temperature = fit_temperature(scores, labels, objective)
    rows, classes = scores.shape[-2:]
    folds = min(folds, rows)
    if folds < 2:
        return 1.0
    each = scores.detach().double().reshape(-1, rows, classes)
    strata = labels if labels.dim() == 1 else torch.zeros(rows, dtype=torch.long)
    fold = share_out(strata.cpu(), folds).to(labels.device)
    gains = torch.zeros(rows, dtype=torch.float64, device=scores.device)
    for place in range(folds):
        out = fold == place
        found = fit_temperature(each[:, ~out], labels[~out], objective)
        for formula in each[:, out]:
            gains[out] += objective.losses(formula, labels[out])
            gains[out] -= objective.losses(formula / found, labels[out])
    clear = float(gains.mean()) > CLEAR * float(gains.std()) / math.sqrt(rows)
    return temperature if clear else 1.0


def share_out(labels: Tensor, folds: int, seed: int = 0) -> Tensor:
    """A fold for each row, [rows], in which classes are shared out evenly."""
    generator = torch.Generator().manual_seed(seed)
    fold, start = torch.empty(len(labels), dtype=torch.long), 0
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        fold[rows[torch.randperm(len(rows), generator=generator)]] = torch.arange(
            start, start + len(rows)
        )
        start += len(rows)  # so that the folds differ by a row at most
    return fold % folds


def check_limit(reject_below: float) -> None:
    """Raise ValueError if the limit below which an answer is withheld is no probability."""
    if not 0 <= reject_below <= 1:
        raise ValueError(f"reject_below must be between 0 and 1, got {reject_below}")


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """How far confidence is from accuracy: the mean gap over bins of equal width in confidence.

    Args:
        probabilities: [rows, classes], each row summing to 1.
        labels: Class of each row, [rows].
        bins: Number of bins.

    Returns:
        Between 0 (of the rows predicted with probability p a share p is right) and 1.

    Raises:
        ValueError: If `bins` is below 1, or a row is no distribution.
    """
    from torchmetrics.functional.classification import multiclass_calibration_error

    check_counts(bins=bins)
    sums = probabilities.sum(dim=-1)
    if not len(probabilities) or (probabilities < 0).any() or ((sums - 1).abs() > 1e-3).any():
        raise ValueError(
            "each row of probabilities must be non-negative and sum to 1; scores become"
            " probabilities by head.probabilities, or torch.softmax"
        )
    error = multiclass_calibration_error(
        probabilities, labels, num_classes=probabilities.shape[-1], n_bins=bins, norm="l1"
    )
    return float(error)
