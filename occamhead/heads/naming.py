"""What the features of a head are called."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from torch import nn

from occamhead.heads.limits import feature_number

# A name for each feature, or for some by number; None calls all of them x0, x1, ...
FeatureNames: TypeAlias = Mapping[Any, str] | Sequence[str] | None

_REMEDY = "give a name for each feature, or for some by number: names={538: 'fuzzy body'}"


class Named(nn.Module):
    """A head whose features have names."""

    hints: tuple[str, ...] | None = None
    """What each feature looks at, in words: the classes for which a classifier that was replaced
    read it most, such as "mask, snorkel, ram". None where nobody knows."""

    _names: tuple[str, ...] | None = None

    @property
    @abstractmethod
    def in_features(self) -> int:
        """Number of features."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """What the features are called; None if they are x0, x1, ...

        It takes a name for each feature, or for some by number::

            head.names = {538: "fuzzy body"}

        Formulas, files and exports have the names that the head has at that moment.

        Raises:
            ValueError: If there are not as many names as features, there is no such feature, or a
                name is there twice.
        """
        return self._names

    @names.setter
    def names(self, names: FeatureNames) -> None:
        self._names = as_names(names, self.in_features)

    def words(self, feature: int) -> str:
        """What a feature is called, or else looks at; nothing if nobody knows."""
        own = own_names(self.names)
        return own.get(feature) or ("" if self.hints is None else self.hints[feature])

    def names_or(self, names: FeatureNames) -> tuple[str, ...] | None:
        """These names, or the head's own where none are given.

        "auto" calls a feature that has no name of its own by its :attr:`hints`.
        """
        if isinstance(names, str) and names == "auto":
            return self._hinted()
        return self.names if names is None else as_names(names, self.in_features)

    def _hinted(self) -> tuple[str, ...] | None:
        if self.hints is None:
            if self.names is None:
                raise ValueError(
                    "names='auto': nobody knows what this head's features are; name them, as"
                    " head.names = {538: 'fuzzy body'}, or attach the head to a model with"
                    " categories=[...]"
                )
            return self.names
        own = own_names(self.names)
        words = [own.get(i, hint.replace("`", "'")) for i, hint in enumerate(self.hints)]
        times = Counter(words)
        # Features of equal words are told apart by their numbers.
        return as_names(
            [
                word if i in own or times[word] == 1 else f"{word} (x{i})"
                for i, word in enumerate(words)
            ],
            self.in_features,
        )

    def extra_repr(self) -> str:
        own = [f"{number}: {name!r}" for number, name in own_names(self.names).items()]
        return f", names={{{abridged(own)}}}" if own else ""


def as_names(given: FeatureNames, features: int) -> tuple[str, ...] | None:
    """A name for each feature; None if all are called x0, x1, ...

    Args:
        given: A name for each feature, as a list or the columns of a frame, or for some by number
            (538 or "x538"); the others are then called x0, x1, ...
        features: How many features there are.

    Raises:
        ValueError: If there are not as many names as features, there is no such feature, a name is
            there twice, or it is empty, no text or holds a backtick.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        names: list[Any] = [f"x{number}" for number in range(features)]
        for key, name in given.items():
            names[feature_number(key, features)] = name
    elif isinstance(given, str):
        raise ValueError(f"names: got the one text {given!r}; {_REMEDY}")
    else:
        names = list(given)
    if len(names) != features:
        raise ValueError(f"names: got {len(names)} for {features} features; {_REMEDY}")
    places: dict[Any, int] = {}
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name or "`" in name:
            raise ValueError(
                f"names: wanted a text without backticks for feature {number}, got {name!r}"
            )
        if (other := places.setdefault(name, number)) != number:
            raise ValueError(
                f"names: features {other} and {number} are both called {name!r}; rename one"
            )
    return tuple(names) if own_names(names) else None


def own_names(names: Sequence[str] | None) -> dict[int, str]:
    """The names that say more than x538, by the number of their feature."""
    return {
        number: name for number, name in enumerate(names or ()) if name != f"x{number}"
    }  # fmt: skip


def said(names: Sequence[str] | None) -> dict[str, str] | None:
    """The names that say more than x538 as files hold them, and :func:`as_names` takes them."""
    own = own_names(names)
    return {f"x{number}": name for number, name in own.items()} if own else None


def abridged(items: Sequence[str], most: int = 8) -> str:
    """The first of some items, and how many there are if that is not all."""
    more = f", ... ({len(items)} in all)" if len(items) > most else ""
    return f"{', '.join(items[:most])}{more}"
