"""Lifted programs as JSON: what is read is what was written, and nothing else is read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from occamhead.distill import Lifted, LiftedCertificate
from recipes.lists.tasks import TASKS
from tests.distill.sizes.test_grids import lifted
from tests.distill.sizes.test_unrolled import RULES, learned

PROGRAMS = {name: Lifted(rule, LiftedCertificate({}, {})) for name, rule in RULES.items()}


@pytest.mark.parametrize("name", [*PROGRAMS, *TASKS, "orientation"])
def test_json_and_source_are_stable(name):
    program = lifted() if name == "orientation" else PROGRAMS.get(name) or learned(name)
    text = program.to_json()
    read = Lifted.from_json(text)
    assert read == program and read.to_json() == text
    assert read.source() == program.source() and read.certificate == program.certificate
    assert read.at(4) == program.at(4)


def without_seals(program: Lifted):
    """The JSON as its maker could write it: what was changed on purpose has no seal."""
    return json.loads(
        program.to_json(),
        object_hook=lambda found: {k: v for k, v in found.items() if k != "sha256"},
    )


def changed(program: Lifted, *path, value) -> str:
    """The JSON with one value changed; the last of the path may be a new key."""
    data = without_seals(program)
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    [
        ("a residue", ("format",), "occamhead.expression", "must say format 'occamhead.lifted'"),
        ("a residue", ("version",), 2, "version 2 is unknown; this occamhead reads version 1"),
        ("a residue", ("rule",), None, "rule must be an object of type sum or pair or"),
        ("a residue", ("rule", "type"), "steps", "rule must be an object of type sum or pair or"),
        ("a residue", ("rule", "type"), ["sum"], "rule must be an object of type sum or pair or"),
        ("a residue", ("rule", "more"), 1, "rule of type 'sum' must have the fields direction"),
        ("a residue", ("rule", "readout"), 3, "rule.readout must be an object of type steps or"),
        ("a residue", ("rule", "readout", "classes"), [0, 1.5, 0], r"classes\[1\] must be a value"),
        ("a residue", ("rule", "readout", "classes"), [True, 1], r"classes\[0\] .* got True"),
        ("a residue", ("rule", "readout", "classes"), 3, "classes must be a list, got 3"),
        ("a residue", ("rule", "readout", "classes"), [1], "two classes or more"),
        ("a residue", ("rule", "readout", "divisor", "name"), "os", "got the size 'os'"),
        ("a residue", ("rule", "readout", "divisor", "divisor"), 0, "must be 1 or more, got 0"),
        ("intervals", ("rule", "readout", "bounds"), [], "got 3 classes and 0 bounds"),
        ("intervals", ("rule", "readout", "bounds", 1, "name"), "k", "speaks of k, known here: n"),
        ("intervals", ("rule", "direction", "weight"), "print(1)", r"got \(1,\) and 'print\(1\)'"),
        ("intervals", ("rule", "direction", "factors"), [0], r"got \(0,\) and '1'"),
        ("argmin", ("rule", "first"), 1, "rule.first must be a value of type bool, got 1"),
        ("argmin", ("certificate", "fitted"), {"3": 8}, "fitted must be a list of pairs"),
        ("argmin", ("certificate", "kind"), "lossless", "kind must be one of lifted"),
        ("argmin", ("certificate", "domain"), {"type": "int", "low": 3, "high": 2}, "low must be"),
        ("a step of several scores", ("rule", "output"), {}, "must say format"),
        ("a step of several scores", ("rule", "spec", "names"), ["x", "s"], "rename them"),
        ("a step of several scores", ("rule", "spec", "names"), ["a; b", "s"], "rename them"),
        ("a step of several scores", ("rule", "state", "num_inputs"), 3, "names|inputs"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_named(name, path, value, message):
    text = changed(PROGRAMS[name], *path, value=value)
    with pytest.raises(ValueError, match=message):
        Lifted.from_json(text)


def test_a_missing_part_is_named():
    data = without_seals(PROGRAMS["a residue"])
    del data["rule"]["direction"]["weight"]
    with pytest.raises(ValueError, match=r"rule.direction .* fields factors, weight, got factors"):
        Lifted.from_json(json.dumps(data))
    for text in ("", "[", "3", '{"format": "occamhead.lifted", "version": 1}', "[" * 10**6):
        with pytest.raises(ValueError, match=r"not JSON|not a lifted program|must be an object"):
            Lifted.from_json(text)


def test_every_change_of_a_character_is_refused_or_the_same():
    program = PROGRAMS["a residue"]
    text = program.to_json()
    generator = np.random.default_rng(0)
    refused = 0
    for place in generator.integers(0, len(text), 500).tolist():
        other = text[:place] + chr(ord(text[place]) ^ 1 << int(generator.integers(7)))
        try:
            assert Lifted.from_json(other + text[place + 1 :]) == program
        except ValueError:
            refused += 1
    assert refused > 350
