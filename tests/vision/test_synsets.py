import importlib.util

import pytest

from occamhead.vision import synsets
from occamhead.vision.synsets import class_words


def test_only_numbers_of_wordnet_become_words():
    names = ("n02102040", "bees", "n021", "n021020401", "N02102040", "n99999999")
    assert class_words(names) == ("English springer", *names[1:])


def test_classes_keep_different_names():
    pytest.importorskip("timm")
    cranes = class_words(["n02012849", "n03126707", "n02206856"])
    assert cranes == ("crane (n02012849)", "crane (n03126707)", "bee")
    assert class_words(["bee", "n02206856"]) == ("bee", "bee (n02206856)")


def test_without_timm_the_numbers_stay(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    synsets._lemmas.cache_clear()
    assert class_words(["n03417042", "n02206856"]) == ("garbage truck", "n02206856")
    synsets._lemmas.cache_clear()


def test_the_words_are_those_of_imagenet_s_classes():
    """The classes of weights stand in the order of their numbers."""
    timm_data = pytest.importorskip("timm.data")
    meta = pytest.importorskip("torchvision.models._meta")
    words = class_words(timm_data.ImageNetInfo().label_names())
    assert len(set(words)) == 1000
    same = sum(a == b for a, b in zip(words, meta._IMAGENET_CATEGORIES, strict=True))
    assert same > 900
