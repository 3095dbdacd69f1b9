"""OccamHead: what classifies in eval mode is the printed formula, whatever happens around it."""

from __future__ import annotations

import copy
import io
import math
import pickle

import numpy as np
import pytest
import sympy
import torch
from torch.utils.flop_counter import FlopCounterMode

from occamhead import BASIS_SETS, OccamHead
from occamhead.expression import Affine, Constant, Expression, FormulaModule
from occamhead.expression.serving import CALLS_BEFORE_COMPILING

C = BASIS_SETS["phi_b"].constants
CONFIGS = {
    "default": (30, 4, {}),
    "tanh blocks": (40, 3, {"bases": [["tanh_affine9"] * 9, ["affine9"]]}),
    "phi_b": (20, 3, {"bases": "phi_b", "depth": 4, "per_class": False, "constants": C,
                       "noise": 3.0, "equalisation": 1.0}),
    "phi_a": (12, 2, {"bases": "phi_a", "depth": 2, "per_class": False, "constants": C,
                      "skip": True, "last_temperature": 10.0, "noise": 4.0, "equalisation": 2.0}),
    "comparisons": (6, 2, {"bases": "table1/14", "depth": 2, "skip": True, "constants": (1,),
                           "equalisation": 1.0, "noise": 3.0}),
    "undefined": (5, 3, {"bases": "pmlb", "depth": 3, "skip": True, "equalisation": 5.0,
                         "noise": 3.0}),
    "constants": (5, 4, {"bases": ["pow_constant", "mul_constant", "add_constant", "affine2"],
                         "depth": 2, "skip": True, "equalisation": 1.0, "noise": 2.0}),
    "one class": (5, 1, {"bases": ["affine3", "max"], "noise": 1.0}),
}  # fmt: skip
configs = pytest.mark.parametrize("config", CONFIGS)


def made(config: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> OccamHead:
    """A head with a standardisation that is not trivial, in eval mode."""
    inputs, classes, options = CONFIGS[config]
    torch.manual_seed(seed)
    head = OccamHead(inputs, classes, **options)
    rows = 3 * torch.randn(50, inputs) + torch.arange(inputs)
    head.initialise(rows, torch.arange(50) % classes, prior=0.5 * (seed % 2))
    with torch.no_grad():
        for constants in head.network.free_constants:
            constants.add_(0.3 * torch.randn(constants.shape))
    return head.to(dtype).eval()


def rows_of(head: OccamHead, count: int = 40, seed: int = 1) -> np.ndarray:
    inputs = head.in_features
    return 3 * np.random.default_rng(seed).normal(size=(count, inputs)) + np.arange(inputs)


def close(found: object, wanted: np.ndarray, rtol: float = 1e-5) -> None:
    finite = np.abs(wanted[np.isfinite(wanted)])
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * max(1.0, finite.mean())
                               if finite.size else 0, equal_nan=True)  # fmt: skip


def scores_of(formula: Expression):
    namespace: dict[str, object] = {}
    exec(formula.python(), namespace)
    return namespace["scores"]


@configs
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_eval_is_the_formula_in_every_form(config, seed, dtype):
    head = made(config, seed, dtype)
    formula = head.formula()
    assert (formula.num_inputs, len(formula)) == (head.in_features, head.out_features)
    x = rows_of(head)
    found = head(torch.tensor(x, dtype=dtype)).numpy()
    assert found.dtype == torch.empty(0, dtype=dtype).numpy().dtype
    rtol = 1e-5 if dtype == torch.float64 else 2e-4
    wanted = formula(torch.tensor(x, dtype=dtype).double().numpy())
    # float32 overflows where float64 does not.
    wanted = np.where(np.abs(wanted) > 1e30, found, wanted)
    close(found, wanted, rtol)
    close(formula.torch()(torch.tensor(x, dtype=dtype)).numpy(), found, rtol)
    if dtype == torch.float64:
        again = Expression.parse(formula.text(), num_inputs=head.in_features)
        np.testing.assert_array_equal(again(x), formula(x))
        scores = scores_of(formula)
        close(np.array([scores(row) for row in x.tolist()]), found)


@configs
def test_eval_is_the_formula_on_nan_and_inf(config):
    head = made(config, 1, torch.float64)
    formula = head.formula()
    x = rows_of(head)
    generator = np.random.default_rng(2)
    for row in range(len(x)):
        column = formula.features[row % len(formula.features)] if formula.features else 0
        x[row, column] = (math.nan, math.inf, -math.inf, 0.0)[row % 4]
        x[row, generator.integers(x.shape[1])] = (math.nan, 0.0)[row % 2]
    found = head(torch.tensor(x)).numpy()
    close(found, formula(x))
    scores = scores_of(formula)
    close(np.array([scores(row) for row in x.tolist()]), found)


@configs
def test_eval_is_the_sympy_form_where_it_is_defined(config):
    head = made(config, 0, torch.float64)
    formula = head.formula()
    x = rows_of(head, 5)
    symbols = sympy.symbols([f"x{i}" for i in range(head.in_features)], real=True)
    wanted = head(torch.tensor(x)).numpy()
    for k, form in enumerate(formula.sympy()):
        function = sympy.lambdify(symbols, form, "numpy")
        for row, values in zip(x, wanted, strict=True):
            if np.isfinite(values[k]):
                assert function(*row) == pytest.approx(values[k], rel=1e-5, abs=1e-8)


@configs
def test_the_formula_is_that_of_the_network_with_the_standardisation_folded_in(config):
    head = made(config, 0, torch.float64)
    head.digits = 15
    x = torch.tensor(rows_of(head))
    standardised = (x - head.feature_mean) / head.feature_scale
    hard = head.network.evaluate(head.network.most_probable()[0], standardised)[0]
    hard = hard.detach().numpy()
    found = head.formula()(x.numpy())
    keep = np.isfinite(hard) & np.isfinite(found) & (np.abs(hard) < 1e6)
    assert keep.mean() > 0.2
    close(found[keep], hard[keep], 1e-6)


@configs
@pytest.mark.parametrize("digits", [1, 2, 4, 7])
def test_no_number_has_more_digits(config, digits):
    head = made(config, 1)
    head.digits = digits
    for node in head.formula().nodes:
        values: list[float] = []
        if isinstance(node, Constant):
            values = [node.value]
        elif isinstance(node, Affine):
            values = [node.constant, *(coefficient for coefficient, _ in node.terms)]
        for value in values:
            assert float(f"{value:.{digits}g}") == value


def test_digits_reach_the_scores():
    """What is printed is what classifies: rounding changes the scores."""
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    four = head(x)
    head.digits = 1
    coarse = head.eval()(x)
    close(coarse.numpy(), head.formula()(x.numpy()), 1e-4)
    assert not torch.allclose(four, coarse)


@configs
def test_train_is_the_soft_network(config):
    head = made(config).train()
    x = torch.tensor(rows_of(head, 8), dtype=torch.float32)
    soft = head.network((x - head.feature_mean) / head.feature_scale)
    assert torch.equal(head(x), soft) and torch.equal(head.soft(x), soft)
    assert soft.requires_grad and not torch.allclose(soft, head.eval()(x), equal_nan=True)
    assert torch.equal(head.soft(x), soft)
    head.soft_eval = True
    assert torch.equal(head(x), soft)
    head.soft_eval = False
    assert not torch.allclose(soft, head(x), equal_nan=True)
    soft.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.network.logits)


# --- the formula follows the weights -----------------------------------------------------------


def flip(head: OccamHead) -> None:
    """Let every P-node prefer the last of its sources."""
    with torch.no_grad():
        for logits in head.network.logits:
            logits[..., -1] += 50.0


def change_by_optimiser(head: OccamHead) -> None:
    optimiser = torch.optim.Adam(head.parameters(), lr=30.0)
    head.soft(torch.randn(9, head.in_features, generator=torch.Generator().manual_seed(5))).square(
    ).sum().backward()  # fmt: skip
    optimiser.step()


def change_by_state_dict(head: OccamHead) -> None:
    head.load_state_dict(made("default", 7).state_dict())


def change_by_initialise(head: OccamHead) -> None:
    head.initialise(torch.randn(20, 30), generator=torch.Generator().manual_seed(3))


def change_by_standardisation(head: OccamHead) -> None:
    head.feature_mean.add_(1.0)


def change_by_reset(head: OccamHead) -> None:
    head.network.reset_parameters(torch.Generator().manual_seed(4))


def change_by_assignment(head: OccamHead) -> None:
    head.load_state_dict(made("default", 7).state_dict(), assign=True)


CHANGES = [flip, change_by_optimiser, change_by_state_dict, change_by_initialise,
           change_by_standardisation, change_by_reset, change_by_assignment]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_the_formula_follows_the_weights(change):
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    before, text = head(x), head.formula().text()
    change(head)
    assert head.formula().text() != text
    after = head(x)
    assert not torch.allclose(before, after)
    close(after.detach().numpy(), head.formula()(x.numpy()), 1e-4)
    assert str(head.formula()) == str(head._formula_module.expression)


def test_eval_reads_the_formula_even_after_writing_to_data():
    """``.data`` does not count versions, so only eval() can notice."""
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    for logits in head.network.logits:
        logits.data[..., -1] += 50.0
    close(head.eval()(x).numpy(), head.formula()(x.numpy()), 1e-4)


def test_digits_that_change_in_eval_mode_reach_the_scores():
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    head(x)
    head.digits = 1
    close(head(x).numpy(), head.formula()(x.numpy()), 1e-4)


def test_equal_seeds_give_equal_formulas():
    texts = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        texts.append(OccamHead(10, 3).formula().text())
    assert texts[0] == texts[1] != texts[2]
    heads = [OccamHead(10, 3) for _ in range(2)]
    for head in heads:
        head.initialise(torch.ones(4, 10), generator=torch.Generator().manual_seed(1))
    assert heads[0].formula() == heads[1].formula()


def test_names():
    head = made("one class")
    names = ["a", "b c", "sin", "d", "e"]
    formula = head.formula(names)
    assert formula.names == tuple(names)
    assert formula == head.formula().renamed(names)
    with pytest.raises(ValueError, match="names"):
        head.formula(["a"])


def test_log_prob_of_the_default_head_is_the_sum_over_its_edges():
    head = made("default", 3)
    temperature = head.network.temperatures[0]
    wanted = (head.network.logits[0] / temperature).log_softmax(-1).amax(-1).sum(-1)
    torch.testing.assert_close(head.log_prob(), wanted.detach())
    head.network.set_temperature(1e-7)
    assert (head.log_prob() > -1e-2).all()


# --- served on a CPU ---------------------------------------------------------------------------


def served(dtype: torch.dtype = torch.float32) -> OccamHead:
    """A head whose compiled loop has taken over."""
    head = made("default", dtype=dtype)
    x = torch.zeros(1, 30, dtype=dtype)
    for _ in range(CALLS_BEFORE_COMPILING):
        head(x)
    assert head._formula_module.served._loop is not None
    return head


def by_operators(head: OccamHead, x: torch.Tensor) -> torch.Tensor:
    return FormulaModule(head.formula(), dtype=x.dtype).by_operators(x)


@pytest.mark.filterwarnings("ignore:`torch.jit")  # which torch itself still uses
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loop_gives_the_bits_of_torch(dtype):
    head = served(dtype)
    x = torch.tensor(rows_of(head, 300), dtype=dtype)
    for rows in (x, x[:1], x[:0], x.T.contiguous().T, x[::2], x[:, torch.arange(30)]):
        assert torch.equal(head(rows), by_operators(head, rows))
    assert torch.equal(torch.jit.trace(head, x, check_trace=False)(x[:7]), head(x[:7]))
    with torch.inference_mode():
        assert torch.equal(head(x), by_operators(head, x))


def test_nan_and_inf_stay_in_the_sums_that_name_them():
    head = served()
    formula = head.formula()
    for column in formula.features:
        for value in (math.nan, math.inf, -math.inf):
            x = torch.ones(1, 30)
            x[0, column] = value
            found = head(x)
            np.testing.assert_array_equal(found, by_operators(head, x))
            touched = [column in formula[k].features for k in range(4)]
            assert (~found[0].isfinite()).tolist() == touched


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_the_loop_follows_the_weights(change):
    head = served()
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    before = head(x)
    change(head)
    for _ in range(CALLS_BEFORE_COMPILING):
        head(x[:1])
    after = head(x)
    assert not torch.equal(before, after)
    assert torch.equal(after.detach(), by_operators(head, x))


@pytest.mark.parametrize("replace", ["parameter", "network", "float64", "data"])
def test_the_loop_follows_what_is_replaced(replace):
    head, x = served(), torch.tensor(rows_of(made("default")), dtype=torch.float32)
    before = head(x)
    if replace == "parameter":
        logits = head.network.logits[0].detach().flip(-1)
        head.network.logits[0] = torch.nn.Parameter(logits)
    elif replace == "network":
        head.network = made("default", 5).network
    elif replace == "float64":
        head.double()
        x, before = x.double(), before.double()
        assert head(x).dtype == torch.float64
    else:
        for logits in head.network.logits:
            logits.data[..., -1] += 50.0
        head.eval()
    if replace != "float64":
        assert not torch.equal(head(x), before)
    close(head(x).numpy(), head.formula()(x.double().numpy()), 1e-4)


@pytest.mark.filterwarnings("ignore:`torch.jit")  # which torch itself still uses
def test_the_loop_leaves_to_torch_what_it_cannot_do():
    head = served()
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    direction = torch.ones_like(x)
    slope = by_operators(head, x + direction) - by_operators(head, x)
    tangent = torch.func.jvp(head, (x,), (direction,))[1]
    torch.testing.assert_close(tangent, slope, rtol=1e-3, atol=1e-3)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, direction)
        tangent = torch.autograd.forward_ad.unpack_dual(head(dual)).tangent
        torch.testing.assert_close(tangent, slope, rtol=1e-3, atol=1e-3)
    rows = torch.vmap(lambda row: head(row.unsqueeze(0)).squeeze(0))(x)
    torch.testing.assert_close(rows, head(x))
    with FlopCounterMode(display=False), torch.no_grad():
        torch.testing.assert_close(head(x), by_operators(head, x))
    assert head(x.requires_grad_()).requires_grad
    with torch.no_grad():
        assert torch.equal(head(x), head(x.detach()))
    assert torch.equal(head(x.detach().double()), head(x.detach()))
    for shape in ((2, 29), (29,), (1, 30, 2), ()):
        with pytest.raises(ValueError, match=r"\[\.\.\., 30\], got"):
            head(torch.zeros(shape))


def test_a_served_head_is_copied_without_its_loop():
    head = served()
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    for again in (copy.deepcopy(head), pickle.loads(pickle.dumps(head))):
        assert again._formula_module.served._loop is None
        assert torch.equal(again(x), head(x))


# --- storage -----------------------------------------------------------------------------------


def saved_and_loaded(head: OccamHead) -> OccamHead:
    buffer = io.BytesIO()
    head.save(buffer)
    buffer.seek(0)
    return OccamHead.load(buffer)


def state_dict_copy(head: OccamHead) -> OccamHead:
    torch.manual_seed(99)
    other = OccamHead(**head.config()).eval()
    other.load_state_dict(head.state_dict())
    return other


COPIES = {
    "save": saved_and_loaded,
    "pickle": lambda head: pickle.loads(pickle.dumps(head)),
    "deepcopy": copy.deepcopy,
    "state dict": state_dict_copy,
}


@configs
@pytest.mark.parametrize("way", COPIES)
def test_copies_have_the_same_formula_and_numbers(config, way):
    head = made(config)
    head.network.anneal(0.4, end=0.1)
    head.eval()
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    again = COPIES[way](head)
    assert not again.training
    assert again.formula() == head.formula()
    assert torch.equal(again(x).nan_to_num(7.5), head(x).nan_to_num(7.5))
    assert torch.equal(again.soft(x), head.soft(x))
    assert again.config() == head.config()
    assert torch.equal(again.network.temperatures, head.network.temperatures)
    text = head.formula().text()
    flip(again)
    assert head.formula().text() == text != again.formula().text()
    close(again(x).numpy(), again.formula()(x.double().numpy()), 1e-3)


@pytest.mark.parametrize("config", ["default", "tanh blocks", "phi_b", "comparisons"])
def test_export_and_compilation_give_the_same_numbers(config):
    head = made(config)
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    wanted = head(x)
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(head, (x,), dynamic_shapes=({0: batch},)).module()
    torch.testing.assert_close(exported(x), wanted, rtol=0, atol=0)
    torch.testing.assert_close(exported(x[:3]), wanted[:3], rtol=0, atol=0)
    compiled = torch.compile(head, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), wanted, rtol=0, atol=0)
    flip(head)
    head.eval()
    changed = head(x)
    assert not torch.equal(changed, wanted)
    torch.testing.assert_close(compiled(x), changed, rtol=0, atol=0)
    torch._dynamo.reset()


def test_compiled_training_step_equals_eager():
    head = made("tanh blocks").train()
    x = torch.tensor(rows_of(head, 8), dtype=torch.float32)
    torch.testing.assert_close(torch.compile(head, backend="eager")(x), head(x))
    torch._dynamo.reset()


def test_autocast_does_not_round_the_formula():
    head = made("default")
    x = torch.tensor(rows_of(head), dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(x), head.formula().torch()(x))


def test_formula_costs_no_gradient_and_works_in_inference_mode():
    with torch.inference_mode():
        head = made("default")
        x = torch.tensor(rows_of(head), dtype=torch.float32)
        close(head(x).numpy(), head.formula()(x.numpy()), 1e-4)
    outside = made("default")
    with torch.inference_mode():
        outside(x)
    x = x.clone().requires_grad_()
    outside(x).sum().backward()  # gradients of the scores in the features: saliency
    wanted = torch.zeros(30)
    for node in outside.formula().nodes:
        if isinstance(node, Affine):
            for coefficient, child in node.terms:
                wanted[outside.formula().nodes[child].index] += coefficient  # type: ignore
    torch.testing.assert_close(x.grad[0], wanted)


def test_state_dict_holds_no_formula():
    head = made("default")
    head(torch.zeros(2, 30))
    assert {name.split(".")[0] for name in head.state_dict()} == {
        "network", "feature_mean", "feature_scale", "calibration"}  # fmt: skip


def test_save_to_a_path(tmp_path):
    head = made("default")
    head.save(tmp_path / "head.pt")
    assert OccamHead.load(tmp_path / "head.pt").formula() == head.formula()
    assert OccamHead.load(str(tmp_path / "head.pt")).formula() == head.formula()
    data = torch.load(tmp_path / "head.pt", weights_only=True)
    assert data["formula"] == head.formula().text()
    assert (data["format"], data["version"]) == ("occamhead.head", 1)


def test_a_float64_head_is_loaded_as_saved():
    head = made("default", dtype=torch.float64)
    again = saved_and_loaded(head)
    assert again.formula() == head.formula()
    x = torch.tensor(rows_of(head))
    close(again(x.to(again.feature_mean)).numpy(), head(x).numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "not a saved OccamHead"),
        ({"version": 2}, "version 2"),
        ({"version": None}, "version"),
        ("drop version", "version"),
        ("drop config", "config"),
        ("drop state_dict", "state_dict"),
        ("list", "not a saved OccamHead"),
        ("text", "not a saved OccamHead"),
        ("empty", "not a saved OccamHead"),
        ("code", "not a saved OccamHead"),
    ],
)
def test_other_files_are_value_errors(change, message, tmp_path):
    path = tmp_path / "head.pt"
    made("one class").save(path)
    data = torch.load(path, weights_only=True)
    if isinstance(change, dict):
        torch.save({**data, **change}, path)
    elif change.startswith("drop"):
        data.pop(change.split()[1])
        torch.save(data, path)
    elif change == "list":
        torch.save([1, 2], path)
    elif change == "code":
        torch.save(made("one class"), path)
    else:
        path.write_text("" if change == "empty" else "no head")
    with pytest.raises(ValueError, match=message):
        OccamHead.load(path)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        OccamHead.load(tmp_path / "head.pt")


@pytest.mark.parametrize(
    "other",
    [
        OccamHead(31, 4),
        OccamHead(30, 5),
        OccamHead(30, 4, ["affine19"]),
        OccamHead(30, 4, ["affine20"], per_class=False),
        OccamHead(30, 4, ["affine20"], depth=2),
        OccamHead(30, 4, ["affine20"], constants=(1.0,)),
    ],
    ids=["features", "classes", "bases", "per class", "depth", "constants"],
)
def test_a_state_dict_of_another_architecture_is_a_value_error(other):
    head = made("default")
    text = head.formula().text()
    with pytest.raises(ValueError, match="another architecture"):
        head.load_state_dict(other.state_dict())
    assert head.formula().text() == text
    with pytest.raises(ValueError, match="another architecture"):
        torch.nn.Sequential(torch.nn.Flatten(), head).load_state_dict(
            {f"1.{name}": value for name, value in other.state_dict().items()}
        )


# --- initialise --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, 1.0, -12345.678, 1e7, 0.1])
def test_constant_features_are_safe(value):
    torch.manual_seed(0)
    rows = torch.randn(1000, 3)
    rows[:, 1] = value
    head = OccamHead(3, 2)
    head.initialise(rows, (rows[:, 0] > 0).long())
    assert head.feature_scale[1] == 1
    assert head.feature_mean[1].item() == pytest.approx(value, rel=1e-6)
    assert head.train()(rows).isfinite().all() and head.eval()(rows).isfinite().all()


def test_standardisation():
    torch.manual_seed(0)
    rows = torch.randn(200, 4) * torch.tensor([1.0, 10.0, 0.01, 3.0]) + 5
    head = OccamHead(4, 2)
    head.initialise(rows)
    torch.testing.assert_close(head.feature_mean, rows.mean(0))
    torch.testing.assert_close(head.feature_scale, rows.std(0, correction=0))
    head.initialise(rows, standardise=False)
    assert (head.feature_mean == 0).all() and (head.feature_scale == 1).all()
    head.initialise(rows[:1])
    assert (head.feature_scale == 1).all()


@pytest.mark.parametrize("per_class", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_prior_prefers_the_telling_feature(per_class, seed):
    torch.manual_seed(seed)
    rows = torch.randn(300, 20)
    labels = torch.arange(300) % 3
    rows[:, 7] += 3.0 * (labels == 2)
    head = OccamHead(20, 3, ["affine1"], per_class=per_class)
    head.initialise(rows, labels, prior=5.0)
    assert head.formula()[2].features == (7,)
    for logits in head.network.logits[:1]:
        assert (logits[-1].argmax(-1) == 7).all()
    torch.manual_seed(seed)
    plain = OccamHead(20, 3, ["affine1"], per_class=per_class)
    for options in ({"prior": 0.0, "labels": labels}, {"labels": None}):
        labels_given = options.pop("labels")
        plain.initialise(rows, labels_given, generator=torch.Generator().manual_seed(seed),
                         **options)  # fmt: skip
        assert plain.network.logits[0].std().item() == pytest.approx(0.3, rel=0.3)


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (torch.zeros(4, 3), None, r"\[batch, 2\]"),
        (torch.zeros(4), None, r"\[batch, 2\]"),
        (torch.tensor([[0.0, 1.0], [0.0, math.nan]]), None, "feature 1 of row 1 is nan"),
        (torch.tensor([[math.inf, 1.0], [0.0, 0.0]]), None, "feature 0 of row 0 is inf"),
        (torch.zeros(2, 2), torch.tensor([0]), "one label per row"),
        (torch.zeros(2, 2), torch.tensor([[0, 1]]), "one label per row"),
        (torch.zeros(2, 2), torch.tensor([0, 3]), "label 3 is out of range for 3 classes"),
        (torch.zeros(2, 2), torch.tensor([0, -1]), "label -1 is out of range"),
        (torch.zeros(2, 2), torch.tensor([0.0, 1.0]), "whole class indices"),
        (torch.zeros(0, 2), None, "row"),
    ],
)
def test_wrong_features_and_labels_are_value_errors(rows, labels, message):
    head = OccamHead(2, 3)
    before = copy.deepcopy(head.state_dict())
    with pytest.raises(ValueError, match=message):
        head.initialise(rows, labels)
    after = head.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("training", [True, False])
def test_wrong_feature_count_is_a_value_error(training):
    head = made("default").train(training)
    for shape in ((2, 29), (29,), (1, 30, 2), ()):
        with pytest.raises(ValueError, match=r"\[\.\.\., 30\], got"):
            head(torch.zeros(shape))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_bad_features_in_training_are_named(value):
    head = made("default").train()
    x = torch.zeros(5, 30)
    x[3, 17] = value
    with pytest.raises(ValueError, match=f"feature 17 of row 3 is {value}"):
        head(x)
    with torch.no_grad():
        head.network.free_constants[0].fill_(math.nan)
    with pytest.raises(ValueError, match="training diverged"):
        head(torch.zeros(5, 30))


@pytest.mark.parametrize("digits", [0, -1])
def test_digits_error(digits):
    with pytest.raises(ValueError, match="digits"):
        OccamHead(2, 2, digits=digits)


def test_empty_batch():
    head = made("default")
    assert head(torch.zeros(0, 30)).shape == (0, 4)
    assert head.train()(torch.zeros(0, 30)).shape == (0, 4)


# --- training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_training_finds_the_three_telling_features(seed):
    """Three of 30 features decide between two classes; seeds 0 to 2, deterministic on one CPU."""
    torch.manual_seed(seed)
    telling = [3, 11, 20]
    weights = torch.tensor([2.0, -1.5, 1.2])
    rows = torch.randn(1200, 30) * torch.linspace(0.5, 3, 30) + 1
    standard = (rows - rows.mean(0)) / rows.std(0)
    labels = (standard[:, telling] @ weights > 0).long()
    fit, test = slice(0, 800), slice(800, None)
    head = OccamHead(30, 2, ["affine3"])
    head.initialise(rows[fit], labels[fit])
    optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
    head.train()
    steps = 200
    for step in range(steps):
        head.network.anneal(step / (0.8 * steps), end=0.05)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(head(rows[fit]), labels[fit]).backward()
        optimiser.step()
    head.eval()
    formula = head.formula()
    assert set(formula.features) == set(telling)
    with torch.no_grad():
        accuracy = (head(rows[test]).argmax(1) == labels[test]).float().mean().item()
    assert accuracy > 0.95
    namespace: dict[str, object] = {}
    exec(formula.python(), namespace)
    predicted = [namespace["predict"](row) for row in rows[test].tolist()]
    assert (torch.tensor(predicted) == labels[test]).float().mean().item() > 0.95
