"""The JSON of a formula reads back to an equal formula; other JSON is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from occamhead import Expression
from tests.expression.random_formulas import (
    expressions,
)

many = settings(max_examples=250, deadline=None, derandomize=True)
parse = Expression.parse


@pytest.mark.slow
@many
@given(expressions(odd_names=True))
def test_json_reads_back_to_an_equal_expression(expression):
    again = Expression.from_json(expression.to_json())
    assert again == expression and hash(again) == hash(expression)
    assert again.names == expression.names
    data = json.loads(expression.to_json())
    assert (data["format"], data["version"]) == ("occamhead.expression", 1)
    assert data["text"] == expression.text()


def malformed() -> list[str]:
    good = json.loads(parse("2*x0 + sin(x1)").to_json())
    del good["sha256"]
    changes: list[dict[str, object]] = [
        {"format": "other"}, {"format": None}, {"version": 2}, {"version": "1"}, {"version": None},
        {"nodes": None}, {"nodes": 5}, {"nodes": [[]]}, {"nodes": [None]}, {"nodes": ["input"]},
        {"nodes": [["input"]]}, {"nodes": [["input", "0"]]}, {"nodes": [["input", 0.5]]},
        {"nodes": [["input", True]]}, {"nodes": [["constant", "1"]]}, {"outputs": []},
        {"nodes": [["constant", None]]}, {"nodes": [["apply", "sin", [0]]]},
        {"nodes": [["apply", "sin", [1]], ["apply", "cos", [0]]], "outputs": [0]},
        {"nodes": [["input", 0], ["apply", "system", [0]]], "outputs": [1]},
        {"nodes": [["input", 0], ["apply", "sin", "0"]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, [[1]]]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, [[1, 0, 0]]]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, [[1, 5]]]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", "0", [[1, 0]]]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, 3]], "outputs": [1]},
        {"nodes": [["input", 0], ["affine", 0, []]], "outputs": [1]},
        {"outputs": None}, {"outputs": [99]}, {"outputs": ["0"]}, {"outputs": 0},
        {"num_inputs": None}, {"num_inputs": -1}, {"num_inputs": 1}, {"num_inputs": "2"},
        {"names": ["a"]}, {"names": ["a", "a"]}, {"names": 3}, {"names": "ab"}, {"names": [1, 2]},
        {"nodes": [["constant", 10**400]], "outputs": [0]},
    ]  # fmt: skip
    texts = [json.dumps({**good, **change}) for change in changes]
    for key in ("format", "version", "nodes", "outputs", "num_inputs", "names"):
        texts.append(json.dumps({k: v for k, v in good.items() if k != key}))
    texts += ["", "{", "[]", "null", "3", '"x0"', "NaN", "[" * 100_000]
    node = '["constant", %s]'
    for value in ("NaN", "Infinity", "-Infinity", "1e999"):
        changed = json.dumps({**good, "nodes": ["HERE"], "outputs": [0]})
        texts.append(changed.replace('"HERE"', node % value))
    return texts


@pytest.mark.parametrize("text", malformed(), ids=range(len(malformed())))
def test_malformed_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        Expression.from_json(text)


def test_json_of_another_version_names_it():
    data = json.loads(parse("x0").to_json())
    with pytest.raises(ValueError, match="version 7"):
        Expression.from_json(json.dumps({**data, "version": 7}))
