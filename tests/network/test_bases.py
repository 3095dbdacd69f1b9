"""Every basis: one formula in every form, tame while training, and the paper's named sets."""

from __future__ import annotations

import copy
import math
import pickle
import re
from collections import Counter

import numpy as np
import pytest
import sympy
import torch

from occamhead import (
    BASES,
    BASIS_SETS,
    Basis,
    Expression,
    OccamHead,
    OccamNet,
    get_bases,
    get_basis,
    register_basis,
)
from occamhead.network.bases import ALIASES, FAMILIES, arity_of

FAMILY_NAMES = [
    f"{family}{arity}"
    for family in FAMILIES
    for arity in (1, 2, 3, 7)
    if not (family in ("max", "min") and arity == 1)
]
# "tanh10" and the like are of the library, and "add4" is made on first use.
NAMES = sorted({*BASES, *FAMILY_NAMES})
every = pytest.mark.parametrize("name", NAMES)


def points(basis: Basis, rows: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    args = torch.randn(rows, basis.arity, dtype=torch.float64, generator=generator)
    args[0], args[1], args[2] = 0.0, -1.0, 1.0
    constants = torch.randn(rows, basis.num_constants, dtype=torch.float64, generator=generator)
    constants[:4] = torch.tensor(basis.start, dtype=torch.float64)
    return args, constants


@every
def test_torch_is_the_formula_in_numpy(name):
    basis = get_basis(name)
    args, constants = points(basis)
    wanted = basis.formula(torch.cat([args, constants], 1).numpy())[:, 0]
    found = basis(args, constants).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14, equal_nan=True)
    assert np.isfinite(wanted).sum() >= 10


@every
def test_sympy_is_the_formula_in_numpy(name):
    basis = get_basis(name)
    args, constants = points(basis, rows=8)
    rows = torch.cat([args, constants], 1).numpy()
    symbols = sympy.symbols([basis.formula.input_name(i) for i in range(rows.shape[1])], real=True)
    function = sympy.lambdify(symbols, basis.formula.sympy()[0], "numpy")
    for row, (wanted,) in zip(rows, basis.formula(rows), strict=True):
        if math.isfinite(wanted):
            assert function(*row) == pytest.approx(wanted, rel=1e-10, abs=1e-12)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("point", [0.0, -0.0, -1.0, 1.0])
def test_soft_form_and_its_gradient_are_finite_at_singular_points(name, dtype, point):
    basis = get_basis(name)
    args = torch.full((5, basis.arity), point, dtype=dtype, requires_grad=True)
    start = torch.tensor(basis.start, dtype=dtype)
    constants = torch.stack([start, start * 0, start - 1, start + 0.5, -start])
    constants.requires_grad_()
    value = basis(args, constants, soft=True)
    assert value.shape == (5,) and value.dtype == dtype and value.isfinite().all()
    if not value.requires_grad:  # a truth value has no gradient
        assert name == "xor"
        return
    value.sum().backward()
    assert args.grad is not None and args.grad.isfinite().all()
    if basis.num_constants:
        assert constants.grad is not None and constants.grad.isfinite().all()


@every
def test_soft_form_is_the_formula_on_ordinary_values(name):
    basis = get_basis(name)
    args, constants = points(basis)
    args[0] = 0.5  # 0 is a singular point of a power
    exact, soft = basis(args, constants), basis(args, constants, soft=True)
    keep = exact.isfinite() & (exact.abs() < 1e5)
    torch.testing.assert_close(soft[keep], exact[keep], rtol=1e-9, atol=1e-12)


@every
def test_shapes_broadcast_as_in_a_network(name):
    """Arguments [batch, groups, count, arity], constants [groups, count, num_constants]."""
    basis = get_basis(name)
    generator = torch.Generator().manual_seed(0)
    args = torch.rand(6, 2, 3, basis.arity, generator=generator) + 0.5
    constants = torch.rand(2, 3, basis.num_constants, generator=generator)
    for soft in (False, True):
        found = basis(args, constants, soft=soft)
        assert found.shape == (6, 2, 3)
        for g in range(2):
            for k in range(3):
                alone = basis(args[:, g, k], constants[g, k], soft=soft)
                torch.testing.assert_close(found[:, g, k], alone)
        assert basis(args[:0], constants, soft=soft).shape == (0, 2, 3)


@every
def test_fast_forms_equal_the_formula(name):
    basis = get_basis(name)
    if basis.reduce is None and basis.of_sum is None:
        assert not re.fullmatch(rf"({'|'.join(FAMILIES)})\d+", name)
        return
    args, constants = points(basis)
    slow = Basis("slow", basis.formula, basis.arity, basis.start)
    torch.testing.assert_close(
        basis(args, constants), slow(args, constants), rtol=1e-12, atol=1e-14
    )


@every
def test_pickle_and_deepcopy_give_the_same_object(name):
    basis = get_basis(name)
    assert pickle.loads(pickle.dumps(basis)) is basis
    assert copy.deepcopy(basis) is basis and copy.copy(basis) is basis
    assert get_basis(basis) is basis and get_basis(name) is basis


@pytest.mark.parametrize(
    ("name", "args", "constants", "wanted"),
    [
        ("if_le", [1, 2, 30, 40], [], 30),
        ("if_le", [2, 2, 30, 40], [], 30),
        ("if_le", [3, 2, 30, 40], [], 40),
        ("if_lt", [2, 2, 30, 40], [], 40),
        ("if_ge", [2, 2, 30, 40], [], 30),
        ("if_gt", [2, 2, 30, 40], [], 40),
        ("if_eq", [2, 2, 30, 40], [], 30),
        ("if_ne", [2, 2, 30, 40], [], 40),
        ("if_le", [1, 2, 30, math.inf], [], 30),
        ("xor", [0, 5], [], 1),
        ("xor", [5, 5], [], 0),
        ("add_constant", [2], [0.5], 2.5),
        ("mul_constant", [2], [0.5], 1),
        ("pow_constant", [4], [0.5], 2),
        ("affine2", [2, 3], [1, 10, 100], 321),
        ("tanh_affine2", [2, 3], [0, 0.5, 0], math.tanh(1)),
        ("tanh10", [0.1], [], math.tanh(1)),
        ("sigmoid10", [0.1], [], 1 / (1 + math.exp(-1))),
        ("log_abs", [-math.e], [], 1),
        ("log_abs", [0], [], -math.inf),
        ("sub", [5, 3], [], 2),
        ("neg", [5], [], -5),
        ("cube", [-2], [], -8),
        ("add9", range(9), [], 36),
        ("max4", [3, 9, -1, 2], [], 9),
        ("min4", [3, 9, -1, 2], [], -1),
    ],
)
def test_values(name, args, constants, wanted):
    args = torch.tensor([[float(a) for a in args]], dtype=torch.float64)
    found = get_basis(name)(args, torch.tensor([float(c) for c in constants]).double())
    assert found.tolist() == pytest.approx([wanted])


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases(alias):
    assert get_basis(alias) is get_basis(ALIASES[alias])


# --- a user's basis ----------------------------------------------------------------------------


@pytest.fixture
def bump():
    yield register_basis("bump", "exp(-(x - c)**2)", args="x", constants={"c": 0.0})
    del BASES["bump"]


def test_a_users_basis_works_everywhere(bump, tmp_path):
    assert (bump.arity, bump.num_constants, bump.start) == (1, 1, (0.0,))
    net = OccamNet(2, 1, ["bump", "add"], depth=1)
    with torch.no_grad():
        net.logits[1][..., 2] = 9.0  # the image of bump
        net.logits[0][:, 0, 1] = 9.0  # of x1
        net.free_constants[0].fill_(0.5)
    formula = net.expression()
    assert formula.text() == ["exp(-(x1 - 0.5)**2)"]
    assert Expression.parse(formula.text()) == formula
    assert Expression.from_json(formula.to_json()) == formula
    x = torch.tensor([[0.0, 2.5], [9.0, 0.5]])
    torch.testing.assert_close(net.evaluate(net.most_probable()[0], x)[0], formula(x))
    torch.testing.assert_close(formula(x)[:, 0], torch.tensor([math.exp(-4), 1.0]))

    torch.manual_seed(0)
    head = OccamHead(3, 2, ["bump"], depth=2, skip=True).eval()
    head.save(tmp_path / "head.pt")
    again = OccamHead.load(tmp_path / "head.pt")
    assert again.formula() == head.formula()
    assert pickle.loads(pickle.dumps(bump)) is bump


def test_loading_a_head_of_an_unregistered_basis_names_it(tmp_path):
    register_basis("passing", "x*x", args="x")
    try:
        OccamHead(2, 2, ["passing"]).save(tmp_path / "head.pt")
    finally:
        del BASES["passing"]
    with pytest.raises(ValueError, match="passing"):
        OccamHead.load(tmp_path / "head.pt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sin", "sin(x)", "x"), "exists already"),
        (("mine", "sin(x)", ""), "at least one argument"),
        (("mine", "sin(y)", "x"), "unknown input 'y'"),
        (("mine", "sin(x", "x"), "position"),
        (("mine", "sin(x, x)", "x"), "takes 1 arguments"),
        (("mine", "x", "x x"), "twice"),
        (("mine", "x", "x", {"x": 1.0}), "twice"),
        (("mine", "x + c", "x", {"c": math.nan}), "c"),
    ],
)  # fmt: skip
def test_wrong_bases_are_value_errors(arguments, message):
    try:
        with pytest.raises(ValueError, match=message):
            register_basis(*arguments)
        assert arguments[0] == "sin" or arguments[0] not in BASES
    finally:
        if arguments[0] != "sin":
            BASES.pop(arguments[0], None)


@pytest.mark.parametrize(
    ("name", "message"),
    [("sine", "did you mean sin"), ("affin4", "did you mean affine4"), ("max1", "two or more"),
     ("min1", "two or more"), ("add0", "unknown basis"), ("zzzz", "known:"), ("", "unknown"),
     ("if_leq", "did you mean if_le"), ("add-3", "unknown"), ("add03x", "unknown")],
)  # fmt: skip
def test_unknown_names_list_near_ones(name, message):
    before = set(BASES)
    with pytest.raises(ValueError, match=message):
        get_basis(name)
    assert set(BASES) == before


def test_leading_zeros_are_no_second_name():
    assert get_basis("affine3").name == "affine3"
    try:
        assert get_basis("affine03").name == "affine3"
    except ValueError as error:
        assert "unknown" in str(error)


def test_get_bases():
    assert [basis.name for basis in get_bases(["+", "sin", "affine3"])] == ["add", "sin", "affine3"]
    assert get_bases("sin") == (get_basis("sin"),)
    with pytest.raises(ValueError, match="named sets: phi_a"):
        get_bases("phi_z")
    with pytest.raises(ValueError, match="at least one basis"):
        get_bases([])


@pytest.mark.parametrize("count", [1, 3])
def test_wrong_number_of_arguments(count):
    with pytest.raises((ValueError, IndexError, TypeError)):
        get_basis("mul")(torch.zeros(5, count))


def test_missing_constants_are_an_error():
    with pytest.raises((ValueError, IndexError, TypeError)):
        get_basis("add_constant")(torch.zeros(5, 1))


# --- the paper's sets, typed off Tables 3 and 4 and section G by hand --------------------------

PHI_A = "sigmoid10*2 tanh10*2 add4*2 add9*2 add*2 min*2 max*2"
PHI_B = "identity*4 add*3 add4*2 add9*3 tanh*2 sigmoid*2"
IMPLICIT = "add sub mul div sin cos"
C = (-1, -1, 0, 0, 1, 1, 1)
PAPER = {
    "phi_a": (PHI_A, C), "phi_b": (PHI_B, C),
    "table1/1": ("mul*2 add*2", ()),
    "table1/2": ("mul sin*2 add*2", (1, 2)),
    "table1/3": ("sin*2 add*3", (1, 2)),
    "table1/4": ("mul*2 add*2 div*2", (1,)),
    "table1/5": ("mul*2 add*2 div*2", (1,)),
    "table1/6": ("mul*2 add*2 div", (1, 2)),
    "table1/7": (f"{IMPLICIT} add_constant mul_constant pow_constant", ()),
    "table1/8": ("add div sin", (2, math.pi)),
    "taylor": ("add mul_constant pow_constant", (10,)),
    **{f"table1/{line}": (IMPLICIT, ()) for line in (9, 10, 11, 12, 13)},
    "table1/14": ("if_le*2 mul add*2 div", (1,)),
    "table1/15": ("if_le*2 neg add*2 sub mul", (1,)),
    "table1/16": ("if_le*2 add*2 sin*2", (1,)),
    "table1/17": ("if_le add min max*2 div mul sub", (1, 2)),
    "table1/18": ("add*2 xor*2", ()),
    "table1/19": ("if_le*2 neg mul", (1, 2)),
    "table1/20": ("if_le*2 add mul*2 div*2", (1, 2)),
    "table1/21": ("if_le*2 add*3 sub*2", (1, 2)),
    **{f"table1/{line}": (PHI_A, C) for line in (22, 23, 24)},
    **{f"table1/{line}": (PHI_B, C) for line in (25, 26)},
    "pmlb": ("add sub mul div sin cos exp log_abs", ()),
}  # fmt: skip


def test_every_named_set_is_checked():
    assert set(PAPER) == set(BASIS_SETS)


@pytest.mark.parametrize("name", PAPER)
def test_named_sets_are_the_papers(name):
    text, constants = PAPER[name]
    wanted: Counter[str] = Counter()
    for part in text.split():
        basis, _, count = part.partition("*")
        wanted[basis] += int(count or 1)
    assert Counter(basis.name for basis in get_bases(name)) == wanted
    assert sorted(BASIS_SETS[name].constants) == sorted(constants)


@pytest.mark.parametrize(("name", "bases", "arguments"), [("phi_a", 14, 42), ("phi_b", 16, 49)])
def test_sizes_of_the_sets_for_pattern_recognition(name, bases, arguments):
    """Section G for the bases, equation 5 of supplement A for the arguments."""
    assert len(get_bases(name)) == bases
    assert arity_of(get_bases(name)) == arguments
