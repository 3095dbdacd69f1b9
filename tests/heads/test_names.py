"""Names of features and classes, through all that a head is put into and taken out of."""

from __future__ import annotations

import copy
import io
import json
import pickle
import sqlite3

import numpy as np
import pytest
import torch

from occamhead import EssenceHead, OccamHead, fit_head, fit_path
from occamhead.expression import Expression
from occamhead.expression.formats.files import export
from occamhead.heads.base import SymbolicHead
from occamhead.heads.naming import as_names
from occamhead.rows.arrays import ArrayData
from occamhead.training.evolution import fit_head_by_evolution
from occamhead.training.module import OccamModule
from tests.heads.heads import HEADS, fitted

pytestmark = pytest.mark.usefixtures("offline", "one_thread")

QUIET = {"accelerator": "cpu", "enable_progress_bar": False}


def saved(head: SymbolicHead) -> SymbolicHead:
    file = io.BytesIO()
    head.save(file)
    file.seek(0)
    return SymbolicHead.load(file)


COPIES = {
    "save": saved,
    "pickle": lambda head: pickle.loads(pickle.dumps(head)),
    "deepcopy": copy.deepcopy,
    "config": lambda head: type(head)(**json.loads(json.dumps(head.config()))),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", HEADS)
def test_names_are_kept(kind, way):
    head = fitted(kind).head
    assert head.names is None and head.config()["names"] is None
    plain = head.formula()
    head.names = {1: "fuzzy body"}
    again = COPIES[way](head)
    others = [f"x{i}" for i in range(2, head.in_features)]
    assert again.names == head.names == ("x0", "fuzzy body", *others)
    assert "names={1: 'fuzzy body'}" in repr(again)
    if way != "config":
        assert again.formula() == head.formula() == plain.renamed(head.names)
    assert head.formula([f"f{i}" for i in range(head.in_features)]).input_name(1) == "f1"
    head.names = None
    assert head.formula() == plain


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "b"], "got 2 for 3 features; give a name"),
        ({3: "a"}, "wanted a feature from 0 to 2, got 3"),
        ({"legs": "a"}, "no 'legs'; give numbers"),
        (["a", "b", "a"], "features 0 and 2 are both called 'a'; rename one"),
        ({0: "x2"}, "features 0 and 2 are both called 'x2'; rename one"),
        ({0: ""}, "wanted a text without backticks for feature 0, got ''"),
        ({0: 5}, "wanted a text without backticks for feature 0, got 5"),
        ({0: "`"}, "wanted a text without backticks for feature 0"),
        ("abc", "got the one text 'abc'; give a name for each"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, said):
    head = OccamHead(3, 2)
    for give in (
        lambda: OccamHead(3, 2, names=names),
        lambda: EssenceHead(3, 2, names=names),
        lambda: setattr(head, "names", names),
        lambda: head.formula(names),
    ):
        with pytest.raises(ValueError, match=said):
            give()
    assert head.names is None


def test_what_says_no_more_than_numbers_is_no_name():
    assert as_names(["x0", "x1"], 2) is None
    assert as_names({"x1": "b", 0: "x0"}, 2) == ("x0", "b")
    assert as_names(np.array(["a", "b"]), 2) == ("a", "b")


def frame(rows: int = 80):
    pandas = pytest.importorskip("pandas")
    x = np.random.default_rng(0).normal(size=(rows, 4))
    y = np.where(x[:, 2] - x[:, 0] > 0.2, "bee", "ant")
    return pandas.DataFrame(x, columns=["leg length", "wings", "fur", "x3"]), y


FITS = {
    "head": lambda data: fit_head(data, max_features=2, restarts=2, steps=20, trainer=QUIET),
    "evolution": lambda data: fit_head_by_evolution(
        data, max_features=2, restarts=2, steps=2, trainer=QUIET
    ),
    "path": lambda data: fit_path(data, budgets=(2,)).select(),
    "blocks": lambda data: fit_path(data, budgets=(2,), nodes=1, steps=5).select(),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", FITS)
def test_a_fit_to_a_frame_has_its_columns(how):
    x, y = frame()
    head = FITS[how]((x, y)).head
    assert head.names == ("leg length", "wings", "fur", "x3") and head.classes == ("ant", "bee")
    assert head.formula().names == head.names
    assert FITS[how]((x.to_numpy(), y)).head.names is None
    numbered = x.set_axis(range(4), axis=1)
    assert FITS[how](ArrayData((numbered, y))).head.names is None


@pytest.mark.slow
def test_checkpoints_hold_the_names(tmp_path):
    x, y = frame()
    for fit in (FITS["head"]((x, y)), FITS["evolution"]((x, y))):
        fit.module.trainer.save_checkpoint(tmp_path / "fit.ckpt", weights_only=True)
        again = OccamModule.load_from_checkpoint(tmp_path / "fit.ckpt", weights_only=True)
        assert again.head.names == fit.head.names
        assert again.head.eval().formula() == fit.head.formula()


@pytest.mark.slow
def test_a_head_can_be_named_by_the_arguments_of_a_fit():
    x, y = frame()
    fit = fit_head(
        (x, y), max_features=2, restarts=1, steps=20, trainer=QUIET, head={"names": {2: "pelt"}}
    )
    assert fit.head.names == ("x0", "x1", "pelt", "x3")
    evolved = fit_head_by_evolution((x, y), restarts=1, steps=2, start=fit.head, trainer=QUIET)
    assert evolved.head.names == fit.head.names


@pytest.mark.slow
def test_edits_keep_the_names_and_go_by_them():
    path = fit_path(frame(), budgets=(1, 2))
    edited = path.select(2).head.edit(drop=["fur"]).head
    assert edited.names == path.select(2).head.names and 2 not in edited.formula().features
    edited.names = {0: "length"}
    again = edited.edit(force=["length"]).head
    assert again.names == ("length", "x1", "x2", "x3") and 0 in again.formula().features
    assert all(p.head.names == edited.names for p in path.edit(drop=["fur"])) is False
    x = torch.zeros(1, 4)
    assert torch.equal(again.intervene(x, {"length": 1.0}), again(torch.tensor([[1.0, 0, 0, 0]])))


def test_a_head_of_concepts_fitted_to_a_frame_is_named():
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame([[0, 0], [0, 1], [1, 0], [1, 1]], columns=["feathers", "webbed"])
    head = EssenceHead(2, 2).fit(x, [0, 1, 1, 0]).eval()
    assert head.names == ("feathers", "webbed") and "feathers" in str(head.formula())


def named() -> OccamHead:
    torch.manual_seed(0)
    names = {0: "fuzzy body */ \n", 2: 'a "wing"'}
    head = OccamHead(3, 2, bases=["affine3"], classes=["ants", "bees"], names=names)
    head.initialise(torch.randn(20, 3), torch.arange(20) % 2)
    return head.eval()


def test_every_export_uses_the_names(tmp_path):
    head = named()
    files = {s: head.export(tmp_path / f"formula{s}") for s in (".py", ".c", ".json", ".sql")}
    text = {suffix: file.read_text() for suffix, file in files.items()}
    module: dict[str, object] = {}
    exec(text[".py"], module)
    row = [0.5, -1.0, 2.0]
    wanted = head.formula()(row).tolist()
    assert np.allclose(module["scores"](row), wanted)
    used = head.formula().features
    for suffix in (".py", ".c"):
        assert all((f"x[{i}]: " in text[suffix]) == (i in used) for i in range(3))
        assert "ants" in text[suffix] and "bees" in text[suffix]
    assert Expression.from_json(text[".json"]) == head.formula()
    database = sqlite3.connect(":memory:")
    columns = ", ".join('"' + name.replace('"', '""') + '" REAL' for name in head.names)
    database.execute(f"CREATE TABLE features ({columns})")
    database.execute("INSERT INTO features VALUES (?, ?, ?)", row)
    *scores, number, name = database.execute(text[".sql"]).fetchone()
    assert np.allclose(scores, wanted) and name == head.classes[number]
    other = head.export(tmp_path / "other.sql", names=["a", "b", "c"], classes=["A", "B"])
    assert "wing" not in other.read_text() and "ants" not in other.read_text()


def test_columns_that_sql_takes_for_one_are_refused(tmp_path):
    formula = Expression.parse("wing - Wing", names=["wing", "legs", "Wing"])
    with pytest.raises(ValueError, match="'wing' and 'Wing' apart; rename one"):
        export(formula, tmp_path / "formula.sql")
    export(formula, tmp_path / "formula.c")
