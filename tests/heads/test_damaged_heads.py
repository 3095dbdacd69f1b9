"""Files of heads and formulas that are damaged are refused, and named."""

import json

import numpy as np
import pytest
import torch

from occamhead import Expression, OccamHead
from occamhead.heads.base import SymbolicHead
from occamhead.saving.sealed import SEAL_BYTES, Damaged


@pytest.fixture
def saved(tmp_path):
    head = OccamHead(6, 2, bases=["affine4"], classes=["a", "b"]).eval()
    file = tmp_path / "some.head"
    head.save(file)
    return head, file


def test_every_flipped_bit_of_a_head_is_refused(saved):
    """300 flips, as were injected when other weights came of 115."""
    head, file = saved
    whole = file.read_bytes()
    assert SymbolicHead.load(file).formula() == head.formula()
    generator = np.random.default_rng(0)
    seal = np.arange(len(whole) - SEAL_BYTES, len(whole))
    for place in [*generator.integers(0, len(whole), 300).tolist(), *seal.tolist()]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(generator.integers(8))
        file.write_bytes(damaged)
        with pytest.raises(Damaged, match=str(file)):
            SymbolicHead.load(file)


def test_a_head_that_is_cut_off_names_itself(saved):
    _, file = saved
    whole = file.read_bytes()
    for length in [0, 1, 100, len(whole) // 2, len(whole) - SEAL_BYTES - 30]:
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"{file} .*is cut off or damaged"):
            SymbolicHead.load(file)
    # The seal gone, or a part of it, and nothing else.
    for missing in (1, SEAL_BYTES - 1, SEAL_BYTES):
        file.write_bytes(whole[:-missing])
        with pytest.raises(Damaged, match=str(file)):
            SymbolicHead.load(file)


def test_a_head_from_before_there_were_seals_is_read(saved):
    head, file = saved
    content = torch.load(file, weights_only=True)
    del content["sealed"]
    torch.save(content, file)
    assert SymbolicHead.load(file).formula() == head.formula()


def test_parts_that_do_not_fit_are_damage_and_not_a_riddle(saved):
    _, file = saved
    content = torch.load(file, weights_only=True)
    del content["sealed"]
    for part, wrong in [
        ("config", {**content["config"], "in_features": 7}),
        ("config", {**content["config"], "in_features": "six"}),
        ("config", {"nonsense": 1}),
        ("state_dict", {}),
        ("state_dict", {**content["state_dict"], "feature_scale": torch.zeros(6)}),
        ("dtype", "nonsense"),
        ("kind", ["occam"]),
        ("hints", 3),
    ]:
        torch.save({**content, part: wrong}, file)
        with pytest.raises(ValueError, match=str(file)):
            SymbolicHead.load(file)


def test_every_change_of_a_formula_s_json_is_refused_or_the_same():
    """2000 flips, as were injected when another formula came of 67."""
    formula = Expression.parse(["0", "2.5*x0 - sin(x1)**2/7 + 0.125"])
    text = formula.to_json(["ants", "bees"])
    assert Expression.from_json(text) == formula
    generator = np.random.default_rng(0)
    refused = 0
    for place in generator.integers(0, len(text), 2000).tolist():
        damaged = bytearray(text.encode())
        damaged[place] ^= 1 << int(generator.integers(8))
        try:
            assert Expression.from_json(damaged.decode("utf-8", "replace")) == formula
        except ValueError:
            refused += 1
    assert refused > 1500


def test_json_that_people_wrote_needs_no_seal():
    data = json.loads(Expression.parse("2*x0").to_json())
    del data["sha256"]
    data["nodes"][1][2][0][0] = 3.0
    assert Expression.from_json(json.dumps(data)) == Expression.parse("3*x0")
    data["sha256"] = "0" * 64
    with pytest.raises(ValueError, match=r"is damaged.*take the field 'sha256' out"):
        Expression.from_json(json.dumps(data))
