"""``occamhead distill``: programs of tables and of models, and files that are neither."""

from __future__ import annotations

import itertools
import json
import warnings

import numpy as np
import pytest
import torch

from occamhead import OccamHead
from occamhead.commands.entry import main
from tests.distill.printed import defined_by

pytestmark = pytest.mark.usefixtures("one_thread")


def write(file, x, names, classes=None):
    """A table of rows, and of their classes."""
    lines = [",".join([*names, *(["class"] if classes is not None else [])])]
    for i, row in enumerate(x):
        lines.append(",".join([*map(str, row), *([classes[i]] if classes is not None else [])]))
    file.write_text("\n".join(lines))
    return str(file)


def test_a_rule_of_all_inputs_is_lossless(tmp_path, capsys):
    rows = list(itertools.product([0, 1], repeat=3))
    classes = ["yes" if a ^ (b | c) else "no" for a, b, c in rows]
    file, out = write(tmp_path / "t.csv", rows, "abc", classes), tmp_path / "out"
    assert main(["distill", file, "--target", "class", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "return a ^ (b or c)" in said and "Lossless" in said and "classes: 0 no, 1 yes" in said
    assert "it is right on 8 of all 8 rows; they are all inputs that there are" in said
    predict = defined_by((out / "rule.py").read_text())["predict"]
    assert [predict(list(row)) for row in rows] == [int(c == "yes") for c in classes]
    assert {file.name for file in out.iterdir()} == {"rule.py", "rule.json", "results.json"}


def test_rows_of_a_table_are_held_out(tmp_path, capsys):
    x = np.random.default_rng(0).integers(0, 4, (200, 5))
    classes = ["high" if row[1] + row[3] > 3 else "low" for row in x]
    file = write(tmp_path / "t.csv", x, "abcde", classes)
    assert main(["distill", file, "--target", "class", "--out", str(tmp_path / "out")]) == 0
    assert "b + d" in capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["right_held_out"] == results["n_held_out"] == 40 and results["right"] == 200


def test_other_numbers_give_a_formula(tmp_path, capsys):
    x = np.random.default_rng(0).normal(size=(120, 4)).round(3)
    classes = ["up" if row[2] > row[0] else "down" for row in x]
    file = write(tmp_path / "t.csv", x, ["a", "b b", "c", "d"], classes)
    assert main(["distill", file, "--target", "class", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "up if " in said and ", otherwise down" in said
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["kind"] == "formula" and results["right_held_out"] >= 22 <= results["n_held_out"]


def test_a_model_is_asked_and_agreed_with(tmp_path, capsys):
    class Majority(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x.sum(dim=1) * 0 + 1.5, x.sum(dim=1)], dim=1)

    x = np.array(list(itertools.product([0, 1], repeat=3)) * 3)[:20]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.trace(Majority(), torch.zeros(2, 3)).save(tmp_path / "m.pt")
    rows, out = write(tmp_path / "rows.csv", x, "abc"), tmp_path / "out"
    assert main(["distill", str(tmp_path / "m.pt"), "--rows", rows, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "return sum(x) >= 2" in said
    assert "it agrees with the model on 20 of all 20 rows" in said


def test_a_head_of_ours_is_a_model(tmp_path, capsys):
    head = OccamHead(3, 2).eval()
    head.save(tmp_path / "head.pt")
    x = np.random.default_rng(0).normal(size=(80, 3)).round(3)
    rows, out = write(tmp_path / "rows.csv", x, "abc"), tmp_path / "out"
    code = main(["distill", str(tmp_path / "head.pt"), "--rows", rows, "--out", str(out)])
    said = capsys.readouterr()
    answers = head(torch.tensor(x, dtype=torch.float32)).argmax(dim=1)
    if answers.min() == answers.max():
        assert code == 1 and "the model says class" in said.err
    else:
        assert code == 0 and "agrees with the model" in said.out


class Evil:
    """A pickle that would say that it ran."""

    def __reduce__(self):
        return print, ("the pickle ran",)


@pytest.mark.parametrize("kind", ["pickle", "zip pickle", "state", "text", "weights"])
def test_files_that_are_no_models_are_not_opened(kind, tmp_path, capsys):
    file = tmp_path / ("m.safetensors" if kind == "weights" else "m.pt")
    match kind:
        case "pickle":
            torch.save(Evil(), file, _use_new_zipfile_serialization=False)
        case "zip pickle":
            torch.save(Evil(), file)
        case "state":
            torch.save(torch.nn.Linear(2, 2).state_dict(), file)
        case _:
            file.write_text("no model")
    rows, out = write(tmp_path / "rows.csv", [[1, 2]], "ab"), tmp_path / "out"
    assert main(["distill", str(file), "--rows", rows, "--out", str(out)]) == 1
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert str(file) in line and "save the model as TorchScript, or write its answers to" in line
    assert "ran" not in said.out and not out.exists()


@pytest.mark.parametrize(
    "words, said",
    [
        (["t.csv"], "t.csv is a table: name the column of its classes with --target"),
        (["m.pt"], "m.pt is a model: name a table of its inputs with --rows"),
        (["m.pt", "--rows", "t.csv"], "m.pt: no such file or directory"),
        (["t.csv", "--target", "one"], "one is 1 in all 40 rows; wanted two or more classes"),
        (["t.csv", "--target", "many"], "many has 40 different values in 40 rows; wanted classes"),
        (["t.csv", "--target", "two"], "many is 'x0', not a number"),
        (["t.csv", "--target", "tow"], "unknown column 'tow'; did you mean two"),
    ],
)
def test_bad_questions_end_in_one_line(words, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"1,{i % 2},x{i}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["one,two,many", *rows]))
    flags = ["--inputs", "two"] if "one" in words or "many" in words[1:] else []
    assert main(["distill", *words, *flags, "--out", "out"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("occamhead distill: ") and said in line
    assert not (tmp_path / "out").exists()


def test_wrong_labels_are_listed_and_not_obeyed(tmp_path, capsys):
    generator = np.random.default_rng(0)
    x = generator.integers(0, 2, (400, 10))
    wrong = generator.random(400) < 0.05
    truth = x[:, 3] & x[:, 7] | x[:, 9]
    classes = ["yes" if label else "no" for label in truth ^ wrong]
    file, out = write(tmp_path / "t.csv", x, "abcdefghij", classes), tmp_path / "out"
    assert main(["distill", file, "--target", "class", "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    assert results["misfits"] == np.flatnonzero(wrong).tolist()
    predict = defined_by((out / "rule.py").read_text())["predict"]
    assert [int(predict(list(row))) for row in x] == truth.tolist()
    first = ", ".join(str(row + 1) for row in np.flatnonzero(wrong)[:10])
    assert f"{wrong.sum()} rows do not fit the rule (rows {first}, ...;" in capsys.readouterr().out
