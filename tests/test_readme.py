"""README and the pages of docs/: their code runs as it stands, and what they name exists."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import occamhead
from occamhead.network.bases import BASES
from tests.test_structure import MAY_IMPORT

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
names_of_pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

# A text that stands right below code is what the code prints.
BLOCK = re.compile(
    r"(?P<photographs><!-- run with photographs -->\n)?"
    r"```python\n(?P<code>.*?)```"
    r"(?:\n\n```text\n(?P<printed>.*?)```)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    name: str
    code: str
    printed: str | None
    photographs: bool


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            f"{page.name}:{text[: found.start()].count(chr(10)) + 1}",
            found["code"],
            found["printed"],
            bool(found["photographs"]),
        )
        for found in BLOCK.finditer(text)
    ]


# The programs of docs/programs.md are called by tests/distill/test_documents.py.
BLOCKS = [block for page in PAGES if page.name != "programs.md" for block in blocks_of(page)]


def one(page: Path, part: str) -> Block:
    """The block of a page that has a piece of code in it."""
    (found,) = (
        block for block in BLOCKS if block.name.startswith(page.name) and part in block.code
    )
    return found


ATTACH, PATH = one(DOCS / "heads.md", "attach_head"), one(DOCS / "heads.md", "for point in path")
SINE, OWN_BASIS = one(DOCS / "laws.md", "evolve("), one(DOCS / "heads.md", "register_basis")
# Those have tests of their own.
OTHERS = [block for block in BLOCKS if block not in (ATTACH, PATH, SINE, OWN_BASIS)]
QUICK = [block for block in OTHERS if not block.photographs]
SLOW = [block for block in OTHERS if block.photographs]


@pytest.fixture
def bases():
    """The bases that a block registers go again."""
    before = dict(BASES)
    yield
    BASES.clear()
    BASES.update(before)


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder with photographs to stand in, and the weights that torchvision would download."""
    data = os.environ.get("OCCAMHEAD_DATA")
    if not data:
        pytest.skip("OCCAMHEAD_DATA is not set: no photographs")
    import torchvision

    from occamhead.vision import load_backbone

    original = torchvision.models.resnet50

    def resnet50(weights):
        model = original(weights=None)
        state = load_backbone("resnet50").module.state_dict()
        assert model.load_state_dict(state, strict=False).unexpected_keys == []
        return model

    monkeypatch.setattr(torchvision.models, "resnet50", resnet50)
    (tmp_path / "hymenoptera").symlink_to(Path(data) / "hymenoptera")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)


@pytest.mark.slow
@pytest.mark.parametrize("block", QUICK, ids=[block.name for block in QUICK])
def test_code_runs_and_prints_what_stands_below_it(block, bases, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(block.code, {})
    printed = capsys.readouterr().out
    assert block.printed is None or printed.strip() == block.printed.strip()


@pytest.mark.slow
@pytest.mark.parametrize("block", SLOW, ids=[block.name for block in SLOW])
def test_code_about_photographs_runs(block, photographs):
    exec(block.code, {})


@pytest.mark.slow
def test_attached_head_learns_and_leaves_nothing_behind(photographs, capsys):
    space: dict = {}
    exec(ATTACH.code, space)
    printed = capsys.readouterr().out
    assert len(space["head"].formula()) == 2
    assert float(re.search(r"tensor\(([0-9.]+)\)", printed)[1]) > 0.9
    assert not any(module._forward_pre_hooks for module in space["model"].modules())


@pytest.mark.slow
def test_path_shows_its_sizes(photographs, capsys):
    space: dict = {}
    exec(PATH.code, space)
    assert len(capsys.readouterr().out.splitlines()) == 6  # a rule for each size
    assert space["smaller"].formula().features == space["path"].points[2].formula.features
    assert space["path"].select().validation_accuracy > 0.9


def test_search_finds_the_sine(capsys):
    exec(SINE.code, {})
    printed = capsys.readouterr().out
    assert printed.startswith("3.7*x0/(x1 + 2)\n")
    assert "sin(3*x0 + 2) exact" in printed and "linear model" in printed


def test_own_basis_is_in_the_formula(bases):
    space: dict = {}
    exec(OWN_BASIS.code, space)
    space["head"].initialise(torch.randn(20, 16), torch.arange(20) % 3)
    assert "exp(" in space["head"].eval().formula().text()[0]


def test_readme_is_short_and_has_the_two_commands():
    text = README.read_text()
    assert len(text.splitlines()) <= 150
    command = r"^python3 -m venv .* -m (?:pytest -n 2 --dist loadfile|recipes\.imagenet_binary)$"
    assert len(re.findall(command, text, re.MULTILINE)) == 2


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub makes of headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@names_of_pages
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.is_file(), target
        assert not anchor or anchor in anchors_of(file), target


def test_every_page_is_linked_from_the_index():
    linked = set(re.findall(r"\]\((\w+\.md)\)", (DOCS / "index.md").read_text()))
    assert linked == {page.name for page in DOCS.glob("*.md")} - {"index.md"}


@names_of_pages
def test_commands_and_names_exist(page):
    text = page.read_text()
    for module in re.findall(r"python\s+-m\s+((?:occamhead|recipes|benchmarks)[\w.]*)", text):
        assert find_spec(module.rstrip(".")), module
    for name in re.findall(r"\b(?:configs|tests)/[\w/]+\.(?:yaml|py)\b", text):
        assert name == "configs/NAME.yaml" or (ROOT / name).is_file(), name
    for name in re.findall(r"\boccamhead(?:\.[A-Za-z_]\w*)+", text):
        found = occamhead
        for part in name.split(".")[1:]:
            found = getattr(found, part, None) or import_module(f"{found.__name__}.{part}")


def test_citation_is_of_this_version():
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["license"] == "MIT"
    assert citation["version"] == occamhead.__version__
    assert {"message", "title", "authors"} <= set(citation)
    assert [paper["type"] for paper in citation["references"]] == ["article", "article"]


def test_contributors_read_the_table_that_the_structure_test_holds_them_to():
    rows = re.findall(r"^\| `([\w.]+)` \|.*\|(.*)\|$", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    written = {package: set(re.findall(r"`([\w.]+)`", below)) for package, below in rows}
    leaves = {"checks", "moved", "version"}
    assert written == {
        package: below - leaves
        for package, below in MAY_IMPORT.items()
        if package not in leaves - {"checks"}
    }
