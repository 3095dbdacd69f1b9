"""The image recipes name what is wrong with their flags, values and places."""

from __future__ import annotations

import re

import pytest

from recipes import imagenet_binary, mnist_binary
from tests.recipes.image_runs import LITE, QUICK

pytestmark = pytest.mark.usefixtures("offline", "one_thread")


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--weights", "resnet50.pth"], "--weights needs --features"),
        (["--backbone", "resnet50"], "--backbone needs --features resnet50"),
        (["--mode", "finetune"], "finetune needs --features"),
        (["--mode", "evolve"], "backprop.*finetune"),
        (["--classes", "zero", "one"], "--classes.*zero"),
        (["--devices", "all"], "--devices"),
        (["--restarts=0"], "--restarts: must be at least 1, got 0"),
        (["--steps=-1"], "--steps: must be at least 1, got -1"),
        (["--max-features=0"], "--max-features: must be at least 1, got 0"),
        (["--class-weight", "rare"], "--class-weight.*balanced"),
        (["--terms=0"], "--terms: must be at least 1, got 0"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, list) else "",
)
def test_wrong_flags_end_in_usage(flags, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        mnist_binary.main([*QUICK, *flags, "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert re.search(words, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "recipe, flags, words",
    [
        (mnist_binary, ["--classes", "0", "12"], "digits of 0 to 9.*12"),
        (mnist_binary, ["--classes", "3", "3"], "different digits.*3, 3"),
        (mnist_binary, ["--classes", "3"], "two or more.*3"),
        (mnist_binary, ["--features", "resnet5O"], "resnet5O.*resnet50"),
        (imagenet_binary, [*LITE, "--classes", "cat", "dog"], "cat.*dog"),
        (
            imagenet_binary,
            ["--class-weight", "balanced", "--mode", "finetune"],
            "--class-weight is for heads on frozen features",
        ),
        (imagenet_binary, ["--backbone", "efficientnet_lite"], "near names.*efficientnet_lite0"),
    ],
    ids=lambda value: "-".join(value).strip("-") if isinstance(value, list) else "",
)
def test_wrong_values_are_named(recipe, flags, words, few_digits, tmp_path):
    if recipe is mnist_binary:
        flags = [*flags, "--data", str(few_digits)]
    with pytest.raises(ValueError, match=words):
        recipe.main([*QUICK, *flags, "--out", str(tmp_path / "out")])


def test_missing_places_are_named(colours, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        imagenet_binary.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        mnist_binary.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    with pytest.raises(FileNotFoundError, match=r"weights.*nowhere\.pth"):
        imagenet_binary.main([*LITE, "--weights", "nowhere.pth", "--out", str(tmp_path / "out")])
    with pytest.raises(ValueError, match=r"green.*no such class folder"):
        flags = ["--data", str(colours(4)), "--classes", "red", "green"]
        imagenet_binary.main([*LITE, *flags, "--out", str(tmp_path / "out")])
