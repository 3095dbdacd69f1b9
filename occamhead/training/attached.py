"""A classifier replaced by a formula that is fitted to the model's features, in one call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from occamhead.heads.attach import attach_head, attached_head, detach_head
from occamhead.heads.collecting import collect_features
from occamhead.rows.arrays import ArrayData, as_data, check_in_order
from occamhead.training.fit import fit_head
from occamhead.training.path import fit_head_by_path, fit_path
from occamhead.training.results import Fit


def fit_model(
    model: nn.Module,
    loader: Iterable[Any],
    validation: Iterable[Any] | None = None,
    *,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    fit: Callable[..., Fit] | None = None,
    sample_weight: Any = None,
    seed: int = 0,
    **options: Any,
) -> Fit:
    """Fit a head to the features that reach a model's classifier, and leave it in its place.

    The model's other weights stay as they are; :func:`occamhead.detach_head` gives the classifier
    back. If the fit fails, the model is as it was.

    Args:
        model: Any model that :func:`occamhead.attach_head` can give a head, or that has one.
        loader: Batches `(inputs, labels)` to fit to, see :func:`occamhead.collect_features`.
        validation: Batches that are held out to choose by; None sets a fifth of each class of
            `loader` aside, drawn by `seed`, which the package's log counts.
        name: Dotted name of the classifier, where it is not found by itself.
        classes: Names of the labels 0, 1, ...; None takes those of the loader's dataset, if any.
        fit: How the head is fitted. None takes :func:`fit_head_by_path`, the simplest formula of
            several sizes that is good enough; or :func:`occamhead.fit_head`, where the targets are
            not one label a row or an option is one that a path has not, such as `bases`.
            :func:`occamhead.training.evolution.fit_head_by_evolution` is the third.
        sample_weight: What each row counts, those of `loader` and then those of `validation`, in
            their order; the loaders must not shuffle then.
        seed: Seed of the fit.
        **options: Further arguments of `fit`, such as `max_features` and `class_weight`.

    Returns:
        What `fit` returns; its head is part of the model, calibrated, in eval mode. Of a path
        `fit.path` has the formulas of all sizes.

    Raises:
        ValueError: If no classifier is found, or the rows or their weights do not fit.

    Example:
        >>> import torch
        >>> from torch.utils.data import DataLoader, TensorDataset
        >>> from occamhead import fit_model
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.Linear(6, 2))
        >>> x = torch.randn(60, 3)
        >>> loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=20)
        >>> fit = fit_model(model, loader, name="1")
        >>> model[1] is fit.head, model.eval()(x).shape
        (True, torch.Size([60, 2]))
    """
    for each in (loader, validation):
        check_in_order(each, sample_weight)
    if classes is None:
        classes = getattr(getattr(loader, "dataset", None), "classes", None)
    bare = not has_head(model)
    if bare:
        attach_head(model, name=name)
    done: Fit | None = None
    try:
        rows = collect_features(model, loader, device="cpu")
        # Truth values are no numbers of classes: they are called anew below.
        names = None if rows[1].dtype == torch.bool else classes
        if validation is None:
            data, sample_weight = as_data(rows, seed, sample_weight, classes=names)
        else:
            held_out = collect_features(model, validation, device="cpu")
            data = ArrayData(rows, held_out, held_out, classes=names)
        data.name_classes(classes)
        data.feature_hints = getattr(attached_head(model), "hints", None)
        fit = fit or _usual_fit(options)
        done = fit(data, seed=seed, sample_weight=sample_weight, **options)
    finally:
        if bare or done is not None:
            detach_head(model)
    attach_head(model, head=done.head, name=name)
    return done


def _usual_fit(options: Mapping[str, Any]) -> Callable[..., Fit]:
    """The path, where it knows all the options, and else :func:`occamhead.fit_head`."""
    known = {"max_features", "trainer", *inspect.signature(fit_path).parameters}
    one_label = options.get("loss", "cross_entropy") == "cross_entropy"
    no_bases = options.get("bases") is None and set(options.get("head") or {}) <= {"digits"}
    return fit_head_by_path if one_label and no_bases and set(options) <= known else fit_head


def has_head(model: nn.Module) -> bool:
    """Whether :func:`occamhead.attach_head` has given a model a head."""
    try:
        attached_head(model)
    except ValueError:
        return False
    return True
