"""How often photographs that excite a feature show the classes that it is called after."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from occamhead.commands.backbone import backbone_of
from occamhead.rows.telling import OldClassifier
from occamhead.vision import (
    Backbone,
    PictureRows,
    Splits,
    cached_features,
    find,
    load_backbone,
    photograph_splits,
)
from occamhead.vision.pictures import read_folder
from recipes.features.wordnet import distances, read_parents

PHOTOGRAPHS, CLASSES, DRAWS = 9, 3, 100


def results_of(args: Namespace) -> dict[str, Any]:
    """What ``recipes.naming`` writes to results.json, given its flags."""
    from timm.data import ImageNetInfo

    folder = find(args.data, "photographs")
    backbone, generator = backbone_of(args), np.random.default_rng(args.seed)
    old, nouns = backbone.classifier, ImageNetInfo().label_names()
    if old is None or len(old.categories) != len(nouns):
        raise ValueError(f"{backbone.name} had no classifier of ImageNet's classes; take resnet50")
    shown_nouns = sorted(place.name for place in (folder / "val").iterdir() if place.is_dir())
    drawn = [generator.choice(shown_nouns, 2, replace=False).tolist() for _ in range(args.pairs)]
    tasks = [(*photograph_splits(folder, pair, seed=args.seed), backbone) for pair in drawn]
    whole = load_backbone(backbone.name, args.weights) if args.also else backbone
    tasks += [(*photograph_splits(name, seed=args.seed), whole) for name in args.also]
    used = sorted({f for task in tasks for f in in_use(*task, args.cache)})
    pool = read_folder(folder / "val", shown_nouns)
    excited = most_exciting(cached_features(backbone, pool, args.cache), pool.labels)
    same = np.array([[noun == other for other in shown_nouns] for noun in nouns])
    counting = {"the class": same}
    if args.wordnet.is_file():
        counting["or a sibling"] = distances(read_parents(args.wordnet), nouns, shown_nouns) <= 2
    among = range(len(nouns)), np.flatnonzero(same.any(axis=1)).tolist()
    rows = [row for features in (used, range(backbone.num_features)) for row in
            judged(old.weight, excited, features, among, counting, generator)]  # fmt: skip
    say_rows(rows)
    return {
        "task": "naming", "data": str(args.data), "weights": backbone.weights, "rows": rows,
        "notice": backbone.notice, "seed": args.seed, "features_used": len(used),
        "pairs": [[*task[0].train.classes] for task in tasks], "n_test": len(pool),
    }  # fmt: skip


def in_use(splits: Splits, source: str, backbone: Backbone, cache: str | None) -> tuple[int, ...]:
    """The features of the rule that is fitted to photographs; those of the test stay unread."""
    from occamhead.training.path import fit_path

    splits = Splits(splits.train, splits.validation, splits.validation)
    data = PictureRows(splits, source, backbone, cache, progress=False)
    return fit_path(data).select().formula.features


def most_exciting(features: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes of the photographs that excite each feature most, [features, PHOTOGRAPHS]."""
    return labels[np.argsort(-features, axis=0, kind="stable")[:PHOTOGRAPHS]].T


def named_after(weight: Tensor, features: Sequence[int], among: Sequence[int]) -> NDArray[np.int64]:
    """The telling classes of each feature among some, [features, CLASSES] numbers of classes."""
    few = weight[list(among)][:, list(features)]
    best = OldClassifier(few, tuple(map(str, among))).telling(CLASSES)
    return np.array(among)[np.array(best)]


def at_random(
    generator: np.random.Generator, features: int, among: Sequence[int]
) -> NDArray[np.int64]:
    """Classes drawn for each feature in place of the telling ones."""
    order = generator.random((features, len(among))).argpartition(CLASSES, axis=1)
    return np.array(among)[order[:, :CLASSES]]


def shares(
    shown: NDArray[np.int64], called: NDArray[np.int64], counts_as: NDArray[np.bool_]
) -> dict[str, float]:
    """How far what is shown is what the features are called after.

    Args:
        shown: Classes of photographs, [features, photographs].
        called: Classes that the features are called after, [features, CLASSES].
        counts_as: Whether to show a class of photographs is to show a named one, [named, shown].

    Returns:
        In which share of the features one photograph at least shows it, or most do, and which
        share of all photographs.
    """
    hits = np.take_along_axis(counts_as[called].any(axis=1), shown, axis=1)
    count = hits.sum(axis=1)
    most = shown.shape[1] // 2 + 1
    return {
        "one": float((count >= 1).mean()),
        "most": float((count >= most).mean()),
        "photographs": float(hits.mean()),
    }


def mean_of_draws(
    shown: NDArray[np.int64],
    among: Sequence[int],
    counts_as: NDArray[np.bool_],
    generator: np.random.Generator,
) -> dict[str, float]:
    """:func:`shares` of classes at random, the mean of DRAWS draws."""
    draws = [
        shares(shown, at_random(generator, len(shown), among), counts_as) for _ in range(DRAWS)
    ]
    return {name: float(np.mean([draw[name] for draw in draws])) for name in draws[0]}


def judged(
    weight: Tensor,
    excited: NDArray[np.int64],
    features: Sequence[int],
    among: Sequence[Sequence[int]],
    counting: Mapping[str, NDArray[np.bool_]],
    generator: np.random.Generator,
) -> list[dict[str, Any]]:
    """Shares of some features for each set of classes to name by and each way of counting.

    Args:
        weight: Of the old classifier, [classes, features].
        excited: See :func:`most_exciting`.
        features: The features to judge.
        among: Sets of the classifier's classes to name features after.
        counting: By name, whether to show a class is to show a named one; see :func:`shares`.
        generator: Of the classes at random.
    """
    shown, rows = excited[list(features)], []
    for classes in among:
        called = named_after(weight, features, classes)
        for counts, counts_as in counting.items():
            row = {"features": len(features), "among": len(classes), "counts": counts}
            named = shares(shown, called, counts_as)
            chance = mean_of_draws(shown, classes, counts_as, generator)
            rows.append({**row, "named": named, "chance": chance})
    return rows


def say_rows(rows: Sequence[dict[str, Any]]) -> None:
    """The table: each share with that of classes at random behind it."""
    from occamhead.commands.output import say_table

    titles = (
        "features",
        "named after",
        "shown counts",
        "one of nine",
        "most of nine",
        "photographs",
    )
    lines = [
        (
            row["features"],
            f"{CLASSES} of {row['among']}",
            row["counts"],
            *(
                f"{row['named'][name]:.1%} ({row['chance'][name]:.1%})"
                for name in ("one", "most", "photographs")
            ),
        )
        for row in rows
    ]
    say_table(titles, lines, left=(1, 2))
