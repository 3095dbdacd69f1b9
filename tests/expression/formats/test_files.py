"""Formulas in other languages: each file is run by what runs that language, never by us."""

from __future__ import annotations

import copy
import ctypes
import itertools
import json
import math
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from occamhead import OccamHead, attach_head
from occamhead.expression import (
    OPERATORS,
    Expression,
    ExpressionBuilder,
    Operator,
    register_operator,
)
from occamhead.expression.formats.c_source import to_c
from occamhead.expression.formats.files import export
from occamhead.expression.formats.sql import to_sql
from tests.random_formulas import ALL, EXACT, ODD_NAMES, dyadic, expressions, small

pytestmark = pytest.mark.usefixtures("one_thread")

FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-ffp-contract=off"]
SPECIAL = (0.0, 1.0, -1.0, 0.25, -2.5, 3.0, 40.0, -800.0, math.inf, -math.inf, math.nan)
few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
Run = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


# --- the machines that run the files --------------------------------------------------------------


def run_c(source: Path, outputs: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and classes of a compiled C file."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc on this machine")
    # A fresh name: what is loaded once under a name is never read again.
    library = source.with_name(f"{source.stem}{next(_numbers)}.so")
    command = ["gcc", *FLAGS, "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(library))
    double = ctypes.POINTER(ctypes.c_double)
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    scores, classes = np.empty((len(rows), outputs)), np.empty(len(rows), dtype=int)
    for i in range(len(rows)):
        x = rows[i].ctypes.data_as(double)
        loaded.scores(x, scores[i].ctypes.data_as(double))
        classes[i] = loaded.predict(x)
    return scores, classes


_numbers = itertools.count()


def run_sql(source: Path, outputs: int, rows: np.ndarray, columns: dict[int, str], table: str):
    """Scores and classes of a query, over a table that has the named columns alone."""
    connection = sqlite3.connect(":memory:")
    quoted = ['"' + name.replace('"', '""') + '"' for name in columns.values()]
    name = '"' + table.replace('"', '""') + '"'
    connection.execute(f"CREATE TABLE {name} ({', '.join([*quoted, 'number'])})")
    marks = ", ".join("?" * (len(columns) + 1))
    connection.executemany(
        f"INSERT INTO {name} VALUES ({marks})",
        [(*(float(row[i]) for i in columns), k) for k, row in enumerate(rows)],
    )
    found = connection.execute(source.read_text()).fetchall()
    numbers, *rest = zip(*found, strict=True)
    assert list(numbers) == list(range(len(rows)))
    scores = np.array(rest[:outputs], dtype=float).T  # None becomes NaN
    return scores, np.array(rest[outputs], dtype=int)


def run_onnx(model: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    runtime = pytest.importorskip("onnxruntime")
    scores = runtime.InferenceSession(model).run(None, {"x": rows})[0]
    return scores, highest(scores)


def run_python(source: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    namespace: dict[str, Callable] = {}
    exec(compile(source.read_text(), "formula.py", "exec"), namespace)
    lists = rows.astype(np.float64).tolist()
    return (
        np.array([namespace["scores"](row) for row in lists]),
        np.array([namespace["predict"](row) for row in lists]),
    )


def highest(scores: np.ndarray) -> np.ndarray:
    """The first of the highest, NaN above all: what numpy's argmax does."""
    return scores.argmax(axis=1)


def run_all(source: OccamHead | Expression, folder: Path, rows: np.ndarray) -> dict:
    """Scores and classes by every language, over the same rows."""
    formula = source if isinstance(source, Expression) else source.formula()
    columns = {i: formula.input_name(i) for i in formula.features}
    files = {
        suffix: export(source, folder / f"formula{suffix}", overwrite=True, **options)
        for suffix, options in ((".py", {}), (".json", {}), (".c", {}),
                                (".sql", {"table": 'my "rows"', "keep": ["number"]}))
    }  # fmt: skip
    read = Expression.from_json(files[".json"].read_text())
    assert read == formula
    return {
        "py": run_python(files[".py"], rows),
        "json": (read(rows), highest(read(rows))),
        "c": run_c(files[".c"], len(formula), rows),
        "sql": run_sql(files[".sql"], len(formula), rows, columns, 'my "rows"'),
    }


# --- every operator -------------------------------------------------------------------------------


def all_operators() -> tuple[Expression, list[str]]:
    """One output per built-in operator, of three inputs where it takes any number."""
    builder = ExpressionBuilder()
    inputs = [builder.input(i) for i in range(3)]
    outputs = [builder.apply(name, *inputs[: OPERATORS[name].arity or 3]) for name in ALL]
    return builder.build(outputs, 3), list(ALL)


@pytest.mark.parametrize("language", ["py", "json", "c", "sql"])
def test_every_operator_at_every_singular_point(tmp_path, language):
    """Division by zero, overflow, NaN and inf in every place; zero has one sign, as in SQL."""
    formula, names = all_operators()
    rows = np.array(list(itertools.product(SPECIAL, repeat=3)))
    wanted = formula(rows)
    found, classes = run_all(formula, tmp_path, rows)[language]
    for k, name in enumerate(names):
        np.testing.assert_allclose(
            found[:, k], wanted[:, k], rtol=1e-12, atol=1e-300, err_msg=f"{language}: {name}"
        )
    np.testing.assert_array_equal(classes, highest(found))
    assert np.isnan(wanted).any() and np.isinf(wanted).any()


def test_residues_round_down_in_every_language(tmp_path):
    """C and SQL of their own truncate towards zero."""
    formula = Expression.parse(["x0 // x1", "x0 % x1"])
    rows = np.array(list(itertools.product(range(-9, 10), (-3, -2, 2, 5))), dtype=float)
    for language, (scores, _) in run_all(formula, tmp_path, rows).items():
        wanted = [list(divmod(int(a), int(b))) for a, b in rows]
        np.testing.assert_array_equal(scores, wanted, err_msg=language)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_operator_at_every_singular_point_in_onnx(tmp_path, dtype):
    pytest.importorskip("onnxscript")
    formula, names = all_operators()
    rows = np.array(list(itertools.product(SPECIAL, repeat=3)), dtype=dtype)
    wanted = formula(rows)
    path = export(formula, tmp_path / "all.onnx", dtype=torch.from_numpy(rows).dtype)
    found, _ = run_onnx(path, rows)
    assert found.dtype == dtype
    close = {"rtol": 3e-6, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    for k, name in enumerate(names):
        np.testing.assert_allclose(found[:, k], wanted[:, k], err_msg=name, **close)


@few
@given(expressions(EXACT, dyadic, max_steps=12, odd_names=True), st.integers(0, 2**32 - 1))
def test_exact_formulas_agree_to_the_bit(tmp_path, formula, seed):
    rows = np.random.default_rng(seed).choice(SPECIAL, size=(12, formula.num_inputs))
    results = run_all(formula, tmp_path, rows)
    wanted = formula(rows)
    for language, (scores, classes) in results.items():
        np.testing.assert_array_equal(scores, wanted, err_msg=language)
        np.testing.assert_array_equal(classes, highest(wanted), err_msg=language)


@few
@given(expressions(ALL, small, all_nodes=True), st.integers(0, 2**32 - 1))
def test_random_formulas_agree(tmp_path, formula, seed):
    rows = np.random.default_rng(seed).normal(size=(12, formula.num_inputs))
    results = run_all(formula, tmp_path, rows)
    wanted, _ = results.pop("py")
    # C and Python call the same functions in the same order.
    np.testing.assert_allclose(results["c"][0], wanted, rtol=1e-15, atol=0)
    tame = (np.nan_to_num(np.abs(wanted)) < 100).all(axis=1)
    for language, (scores, classes) in results.items():
        np.testing.assert_array_equal(classes, highest(scores), err_msg=language)
        np.testing.assert_allclose(
            scores[tame], wanted[tame], rtol=1e-6, atol=1e-9, err_msg=language
        )


# --- C --------------------------------------------------------------------------------------------


def test_equal_arguments_do_not_cancel(tmp_path):
    """sympy on the formula itself would write 1 for x/x and pow(x, 2) for x*x."""
    formula = Expression.parse(["x0/x0", "x0*x0", "x0 - x0", "max(x0, x0)"])
    source = to_c(formula)
    assert "x[0]/x[0]" in source and "x[0]*x[0]" in source and "pow" not in source
    rows = np.array([[0.0], [math.inf], [math.nan], [1.1]])
    for scores, _ in run_all(formula, tmp_path, rows).values():
        np.testing.assert_array_equal(scores, formula(rows))


def test_names_and_classes_cannot_leave_their_comments(tmp_path):
    names = ["*/ int", "a /* b", "line\nbreak", "end \\", "??/", "größe", "x\u202e", '"']
    formula = Expression.parse([f"x{i}" for i in range(8)]).renamed(names)
    path = export(formula, tmp_path / "f.c", classes=names, comment="a */ b\n# define")
    rows = np.arange(16.0).reshape(2, 8)
    np.testing.assert_array_equal(run_c(path, 8, rows)[0], rows)
    assert "größe" in path.read_text() and "* / int" in path.read_text()


@pytest.mark.parametrize("text", ["2.5", "x1 - x0/3 + 1e300", "x0 + 123456789012345678"])
def test_small_formulas_compile(tmp_path, text):
    """No unused argument, no whole numbers that a C integer cannot hold."""
    formula = Expression.parse(text, num_inputs=2)
    rows = np.array([[1.0, 2.0], [3.0, math.nan]])
    for scores, classes in run_all(formula, tmp_path, rows).values():
        np.testing.assert_array_equal(scores, formula(rows))
        assert classes.tolist() == [0, 0]


@pytest.mark.parametrize("operator", ["mul", "xor", "sigmoid", "div", "where"])
def test_the_text_grows_with_the_formula_not_its_paths(operator):
    """A chain in which every link names the one before it twice has 2**60 paths."""
    builder = ExpressionBuilder()
    node = builder.input(0)
    arity = OPERATORS[operator].arity
    assert arity is not None
    for _ in range(60):
        node = builder.affine(1.0, [(1.0, builder.apply(operator, *[node] * arity))])
    formula = builder.build([node], 1)
    for source in (to_c(formula), to_sql(formula)):
        assert len(source) < 40_000


@pytest.fixture
def own_operator():
    """An operator that neither C nor SQL knows, but sympy can print; and one that it cannot."""
    common = {"python": "({0} * {0} * {0})", "arity": 1}
    cube = Operator(
        name="cube", torch=lambda a: a**3, numpy=lambda a: a**3,
        sympy=lambda sp, a: sp.exp(a) / (1 + a), **common,
    )  # fmt: skip
    riddle = Operator(
        name="riddle", torch=lambda a: a**3, numpy=lambda a: a**3,
        sympy=lambda sp, a: sp.Function("riddle")(a), **common,
    )  # fmt: skip
    register_operator(cube)
    register_operator(riddle)
    yield
    del OPERATORS["cube"], OPERATORS["riddle"]


def test_operators_of_ones_own(tmp_path, own_operator):
    builder = ExpressionBuilder()
    node = builder.apply("cube", builder.input(0))
    formula = builder.build([builder.affine(0.0, [(2.0, node)])], 1)
    path = export(formula, tmp_path / "f.c")
    # sympy's form, not numpy's: what runs is what sympy printed, with brackets where needed.
    scores, _ = run_c(path, 1, np.array([[0.5]]))
    assert scores[0, 0] == pytest.approx(2 * math.exp(0.5) / 1.5, rel=1e-15)
    with pytest.raises(ValueError, match="'cube' has no SQL form"):
        export(formula, tmp_path / "f.sql")
    riddle = builder.build([builder.apply("riddle", builder.input(0))], 1)
    with pytest.raises(ValueError, match="'riddle' has no C form"):
        export(riddle, tmp_path / "g.c")
    assert not (tmp_path / "f.sql").exists() and not (tmp_path / "g.c").exists()


# --- SQL ------------------------------------------------------------------------------------------


def query(source: str, create: str, rows: list[tuple]) -> list[tuple]:
    connection = sqlite3.connect(":memory:")
    connection.execute(create)
    connection.executemany(f"INSERT INTO t VALUES ({','.join('?' * len(rows[0]))})", rows)
    return connection.execute(source).fetchall()


def test_null_is_nan_and_whole_numbers_are_floats():
    formula = Expression.parse(["x0/x1", "x1 - 1"])
    source = to_sql(formula, "t", ["id"], classes=["it's", "b + c"])
    rows = [("a", 7, 2), ("b", None, 2), ("c", 1, 0), ("d", 1, 3), ("e", 3, 2)]
    found = query(source, "CREATE TABLE t (id TEXT, x0 INTEGER, x1 INTEGER)", rows)
    assert found == [
        ("a", 3.5, 1.0, 0, "it's"),
        ("b", None, 1.0, 0, "it's"),  # NaN counts as highest
        ("c", math.inf, -1.0, 0, "it's"),
        ("d", 1 / 3, 2.0, 1, "b + c"),
        ("e", 1.5, 1.0, 0, "it's"),
    ]


def test_a_column_that_is_not_there_is_an_error():
    """SQLite would read a quoted name on its own as a text, and compute with it."""
    source = to_sql(Expression.parse("x0 + x1"), "t")
    with pytest.raises(sqlite3.OperationalError, match="x1"):
        query(source, "CREATE TABLE t (x0)", [(1.0,)])


def test_only_the_features_used_are_asked_for():
    source = to_sql(Expression.parse("2*x7 + x3", num_inputs=4000), "t")
    assert query(source, "CREATE TABLE t (x3, x7)", [(1.0, 2.0)]) == [(5.0, 0)]


def test_odd_names_in_sql(tmp_path):
    names = [name for name in ODD_NAMES if name]
    formula = Expression.parse([f"x{i}" for i in range(len(names))]).renamed(names)
    path = export(formula, tmp_path / "f.sql", keep=["number"], classes=names)
    rows = np.arange(2.0 * len(names)).reshape(2, -1)
    scores, _ = run_sql(path, len(names), rows, dict(enumerate(names)), "features")
    np.testing.assert_array_equal(scores, rows)
    with pytest.raises(ValueError, match="zero byte"):
        to_sql(formula, "a\0b")


def test_many_classes_in_sql(tmp_path):
    """SQLite's max takes 127 arguments."""
    generator = np.random.default_rng(0)
    texts = [f"{a:.3f}*x0 + {b:.3f}*x1" for a, b in generator.normal(size=(300, 2))]
    formula = Expression.parse(texts)
    path = export(formula, tmp_path / "f.sql", keep=["number"])
    rows = generator.normal(size=(50, 2))
    _, classes = run_sql(path, 300, rows, {0: "x0", 1: "x1"}, "features")
    np.testing.assert_array_equal(classes, highest(formula(rows)))
    assert len(set(classes.tolist())) > 5


# --- the whole model ------------------------------------------------------------------------------


class Small(nn.Module):
    """A backbone of convolutions, with batch norm and dropout to be put in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Dropout(0.5),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.fc: nn.Module = nn.Identity()

    def forward(self, x):
        return self.fc(self.body(x))


@pytest.fixture(scope="module")
def backbone():
    torch.manual_seed(0)
    model = Small()
    model.body[1].running_mean.uniform_(-1, 1)
    return model


def make_head(in_features: int = 12, classes: int = 3, seed: int = 0) -> OccamHead:
    """A head of tanh blocks: sums of sums, and an operator."""
    torch.manual_seed(seed)
    head = OccamHead(in_features, classes, [["tanh_affine3"] * 4, ["affine4"]], noise=3.0)
    for constants in head.network.free_constants:
        nn.init.normal_(constants)
    return head.eval()


def pictures(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize("example", [(3, 8, 8), pictures(1)])
def test_backbone_and_formula_in_onnx(tmp_path, backbone, example):
    pytest.importorskip("onnxscript")
    head = make_head()
    backbone.train()
    before = copy.deepcopy(backbone.state_dict())
    path = head.export(tmp_path / "m.onnx", backbone=backbone, example=example)
    assert backbone.training and all(module.training for module in backbone.modules())
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
    backbone.eval()
    for count in (1, 2, 7, 64):
        with torch.no_grad():
            wanted = head(backbone(pictures(count))).numpy()
        scores, classes = run_onnx(path, pictures(count).numpy())
        np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(classes, highest(wanted))


def test_an_attached_head_in_onnx(tmp_path):
    """The formula takes the head's place: what is exported is the formula even in train mode."""
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = Small()
    model.fc = nn.Linear(12, 3)
    head = attach_head(model, head=make_head())
    model.eval()
    wanted = model(pictures(5)).detach().numpy()
    model.train()
    path = head.export(tmp_path / "m.onnx", backbone=model, example=(3, 8, 8))
    assert model.fc is head and head.training
    scores, _ = run_onnx(path, pictures(5).numpy())
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)


def test_onnx_tells_the_formula_and_the_classes(tmp_path):
    pytest.importorskip("onnxscript")
    onnx = pytest.importorskip("onnx")
    formula = Expression.parse(["2*a - b", "a*b"], names=["a", "b"])
    path = export(formula, tmp_path / "f.onnx", classes=["no", "yes"])
    model = onnx.load(path)
    onnx.checker.check_model(model)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["formula"].splitlines() == formula.text()
    assert told["classes"].splitlines() == ["no", "yes"]
    assert [path.name for path in tmp_path.iterdir()] == ["f.onnx"]  # no file of weights beside it


def test_onnx_in_float64_has_the_printed_numbers(tmp_path):
    pytest.importorskip("onnxscript")
    formula = Expression.parse("0.1*x0 + 1234.567*x1 - 0.3774")
    path = export(formula, tmp_path / "f.onnx", dtype=torch.float64)
    rows = np.random.default_rng(0).normal(size=(100, 2))
    np.testing.assert_allclose(run_onnx(path, rows)[0], formula(rows), rtol=1e-14, atol=1e-12)


@pytest.mark.parametrize("whole", [False, True])
def test_torch_export_with_any_batch(backbone, whole):
    head = make_head()
    model = (nn.Sequential(backbone, head) if whole else head).eval()

    def rows(count):
        return pictures(count) if whole else torch.randn(count, 12)

    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (rows(4),), dynamic_shapes=({0: batch},))
    for count in (1, 2, 33):
        x = rows(count)
        torch.testing.assert_close(program.module()(x), model(x))
        assert torch.equal(program.module()(x).argmax(1), model(x).argmax(1))


@pytest.mark.parametrize("whole", [False, True])
def test_torch_compile_without_a_graph_break(backbone, whole):
    """With dynamo and autograd's tracer; what inductor makes of it is the slow test below."""
    torch.compiler.reset()
    head = make_head()
    model = (nn.Sequential(backbone, head) if whole else head).eval()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=True)
    for count in (2, 33):
        x = pictures(count) if whole else torch.randn(count, 12)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), model(x))
            assert torch.equal(compiled(x).argmax(1), model(x).argmax(1))


# --- what is refused ------------------------------------------------------------------------------


def test_a_file_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "formula.json"
    formula = Expression.parse("x0 + 1")
    assert export(formula, str(path)) == path
    with pytest.raises(FileExistsError, match="overwrite=True"):
        export(Expression.parse("x0"), path)
    assert Expression.from_json(path.read_text()) == formula
    export(Expression.parse("x0"), path, overwrite=True)
    assert Expression.from_json(path.read_text()) == Expression.parse("x0")


def test_names_reach_every_file(tmp_path):
    head = make_head(in_features=3, classes=2)
    names = ["antennae", "stripes", "wings"]
    read = Expression.from_json(head.export(tmp_path / "f.json", names=names).read_text())
    assert read == head.formula(names)
    used = [names[i] for i in read.features]
    for path in (head.export(tmp_path / "f.c", names=names),
                 head.export(tmp_path / "f.sql", names=names)):  # fmt: skip
        assert all(name in path.read_text() for name in used)
    assert json.loads((tmp_path / "f.json").read_text())["names"] == names


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("formula.pdf", {}, "suffix must be one of .py, .json, .c, .sql, .onnx"),
        ("formula", {}, "suffix must be one of"),
        ("f.c", {"backbone": nn.Identity()}, ".c takes no option 'backbone'; its options: comment"),
        ("f.json", {"tabel": "t"}, "takes no option 'tabel'"),
        ("f.sql", {"classes": ["one"]}, "2 outputs need as many class names, got 1"),
        ("f.onnx", {"classes": ["one"]}, "2 outputs need as many class names, got 1"),
        ("f.c", {"names": ["one"]}, "as many names, got 1"),
        ("f.onnx", {"backbone": nn.Identity()}, "both backbone= and example="),
        ("f.onnx", {"example": (2,)}, "both backbone= and example="),
        ("f.onnx", {"backbone": nn.Identity(), "example": torch.zeros(0, 2)}, "empty batch"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, name, options, message):
    if name.endswith(".onnx"):
        pytest.importorskip("onnxscript")
    with pytest.raises(ValueError, match=re.escape(message)):
        export(Expression.parse(["x0", "x1"], num_inputs=2), tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_without_onnxscript_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"occamhead\[onnx\]"):
        export(Expression.parse("x0"), tmp_path / "f.onnx")


# --- real data ------------------------------------------------------------------------------------


def quick_head(features: torch.Tensor, labels: torch.Tensor, steps: int = 60) -> OccamHead:
    """A head trained for a moment: what it gets right is not the question here."""
    torch.manual_seed(0)
    head = OccamHead(features.shape[1], int(labels.max()) + 1, ["affine16"]).train()
    head.initialise(features, labels)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        head.network.anneal(step / steps, end=0.03)
        rows = torch.randint(len(features), (256,), generator=generator)
        optimiser.zero_grad()
        nn.functional.cross_entropy(head(features[rows]), labels[rows]).backward()
        optimiser.step()
    return head.eval()


def check_on(head: OccamHead, rows: np.ndarray, folder: Path) -> None:
    """Every language gives every test row the class of the head, and so does float32."""
    formula = head.formula()
    with torch.no_grad():
        wanted = head.eval()(torch.from_numpy(rows)).argmax(1).numpy()
    for language, (_, classes) in run_all(head, folder, rows).items():
        assert (classes != wanted).sum() == 0, language
    pytest.importorskip("onnxscript")
    for dtype in (torch.float32, torch.float64):
        path = head.export(folder / "f.onnx", dtype=dtype, overwrite=True)
        found = run_onnx(path, torch.from_numpy(rows).to(dtype).numpy())[1]
        assert (found != wanted).sum() == 0, dtype
    program = torch.export.export(
        head, (torch.from_numpy(rows[:3]),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    assert torch.equal(program.module()(torch.from_numpy(rows)).argmax(1), torch.tensor(wanted))
    torch.compiler.reset()
    compiled = torch.compile(head, backend="aot_eager", fullgraph=True, dynamic=True)
    assert torch.equal(compiled(torch.from_numpy(rows)).argmax(1), torch.tensor(wanted))
    assert len(set(wanted.tolist())) == len(formula)


def test_onnx_adds_up_without_a_race(tmp_path):
    """A scatter-add is one in onnxruntime: of some sixty runs one or two had wrong scores."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    head = OccamHead(784, 10, ["affine16"]).eval()
    path = head.export(tmp_path / "f.onnx")
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert not {name for name in operators if name.startswith("Scatter")}
    rows = torch.rand(5000, 784)
    with torch.no_grad():
        wanted = head(rows).numpy()
    for _ in range(20):
        assert np.allclose(run_onnx(path, rows.numpy())[0], wanted, atol=1e-4)


@pytest.fixture
def real_data(data_folder, monkeypatch):
    monkeypatch.setenv("OCCAMHEAD_DATA", str(data_folder))


def test_ten_digits(tmp_path, real_data):
    """All 10,000 test digits of MNIST, ten classes, from pixels."""
    from occamhead.vision import MNISTData

    data = MNISTData(range(10), cache_dir=str(tmp_path))
    data.setup()
    head = quick_head(*map(torch.tensor, data.arrays.train))
    rows, labels = map(torch.tensor, data.arrays.test)
    assert len(rows) == 10_000
    accuracy = (head(rows).argmax(1) == labels).float().mean()
    assert accuracy > 0.7  # not a head that says the same of everything
    check_on(head, rows.numpy(), tmp_path)


@pytest.mark.slow
def test_photographs_through_the_backbone(tmp_path, real_data):
    """All 153 test photographs of ants and bees: from features, and ONNX from the pictures."""
    from occamhead.vision import FeatureData, PictureData

    data = FeatureData("hymenoptera", backbone="resnet50")
    data.setup()
    head = quick_head(*map(torch.tensor, data.arrays.train))
    rows = torch.tensor(data.arrays.test[0])
    assert rows.shape == (153, 2048)
    check_on(head, rows.numpy(), tmp_path)

    photographs = PictureData("hymenoptera", backbone="resnet50", batch_size=32)
    photographs.setup()
    path = head.export(tmp_path / "m.onnx", backbone=data.backbone.module, example=(3, 224, 224))
    model = nn.Sequential(data.backbone.module, head).eval()
    compiled = torch.compile(model, dynamic=True)
    exported = torch.export.export(
        model,
        (torch.zeros(2, 3, 224, 224),),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    ).module()
    wanted = head(rows).argmax(1).numpy()
    found = {"onnx": [], "model": [], "compiled": [], "exported": []}
    with torch.no_grad():
        for pictures, _ in photographs.test_dataloader():
            found["onnx"] += run_onnx(path, pictures.numpy())[1].tolist()
            for name, form in (("model", model), ("compiled", compiled), ("exported", exported)):
                found[name] += form(pictures).argmax(1).tolist()
    for name, classes in found.items():
        assert (np.array(classes) != wanted).sum() == 0, name
