"""README's code runs as it stands."""

import os
import re
from pathlib import Path

import pytest
import torch

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_readme_has_the_two_commands_and_seven_examples():
    assert len(BLOCKS) == 7
    assert (
        len(
            re.findall(r"^python3 -m venv .* -m (?:pytest|recipes\.imagenet_binary)$", README, re.M)
        )
        == 2
    )


@pytest.mark.slow
def test_attach_example(monkeypatch, capsys):
    data = os.environ.get("OCCAMHEAD_DATA")
    if not data:
        pytest.skip("OCCAMHEAD_DATA is not set")
    import torchvision

    from occamhead.vision import load_backbone

    original = torchvision.models.resnet50

    def resnet50(weights):
        # The weights that torchvision would download, from the file at hand.
        model = original(weights=None)
        state = load_backbone("resnet50").module.state_dict()
        assert model.load_state_dict(state, strict=False).unexpected_keys == []
        return model

    monkeypatch.setattr(torchvision.models, "resnet50", resnet50)
    monkeypatch.chdir(data)
    torch.manual_seed(0)
    space: dict = {}
    exec(BLOCKS[0], space)
    printed = capsys.readouterr().out
    assert len(space["head"].formula()) == 2
    assert "x" in printed and float(re.search(r"tensor\(([0-9.]+)\)", printed)[1]) > 0.9


@pytest.mark.slow
def test_path_example(capsys):
    if not os.environ.get("OCCAMHEAD_DATA"):
        pytest.skip("OCCAMHEAD_DATA is not set")
    space: dict = {}
    exec(BLOCKS[2], space)
    assert len(capsys.readouterr().out.splitlines()) == 2 * 6  # a line for each class
    assert space["smaller"].formula().features == space["path"].points[2].formula.features
    assert space["path"].select().validation_accuracy > 0.9


@pytest.mark.parametrize("block", [4, 5])
def test_distilling_examples(block, capsys):
    """The program that README shows is the one that its code prints."""
    exec(BLOCKS[block], {})
    assert f"```text\n{capsys.readouterr().out.strip()}\n```" in README


def test_law_example(capsys):
    exec(BLOCKS[3], {})
    printed = capsys.readouterr().out
    assert printed.startswith("3.7*x0/(x1 + 2)\n")
    assert "sin(3*x0 + 2) exact" in printed and "linear model" in printed


def test_own_basis_example():
    from occamhead.network.bases import BASES

    space: dict = {}
    exec(BLOCKS[-1], space)
    try:
        head = space["head"]
        head.initialise(torch.randn(20, 16), torch.arange(20) % 3)
        assert "exp(" in head.eval().formula().text()[0]
    finally:
        del BASES["bump"]
