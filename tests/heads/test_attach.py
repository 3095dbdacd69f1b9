"""attach_head and detach_head on models of torchvision, timm and by hand."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from occamhead import OccamHead, attach_head, detach_head
from occamhead.heads.classifiers import find_place


class Hand(nn.Module):
    """A model of no convention."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(48, 12), nn.ReLU())
        self.scorer = nn.ModuleDict({"last": nn.Linear(12, 5)})

    def forward(self, x: Tensor) -> Tensor:
        return self.scorer["last"](self.body(x))


def torchvision_model(name: str) -> nn.Module:
    torchvision = pytest.importorskip("torchvision")
    return getattr(torchvision.models, name)(weights=None, num_classes=10)


def small_densenet() -> nn.Module:
    torchvision = pytest.importorskip("torchvision")
    return torchvision.models.DenseNet(4, (1, 1), num_init_features=8, num_classes=10)


def small_vit() -> nn.Module:
    """The class of vit_b_16, small: the model itself has 86 million weights."""
    torchvision = pytest.importorskip("torchvision")
    return torchvision.models.VisionTransformer(
        image_size=32, patch_size=16, num_layers=1, num_heads=2, hidden_dim=24, mlp_dim=32,
        num_classes=10,
    )  # fmt: skip


def timm_model(name: str) -> nn.Module:
    return pytest.importorskip("timm").create_model(name, pretrained=False, num_classes=10)


def sequential() -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Flatten(), nn.Linear(48, 8)), nn.Sequential(nn.ReLU(), nn.Linear(8, 3))
    )


MODELS: dict[str, tuple[Callable[[], nn.Module], str, int, str | None]] = {
    # how to build it, where its classifier is, the size of its pictures, the name to give
    "resnet18": (lambda: torchvision_model("resnet18"), "fc", 32, None),
    "densenet": (small_densenet, "classifier", 32, None),
    "mobilenet_v3_small": (lambda: torchvision_model("mobilenet_v3_small"), "classifier.3", 32,
                           None),
    "vit": (small_vit, "heads.head", 32, None),
    "timm resnet": (lambda: timm_model("test_resnet"), "fc", 32, None),
    "timm efficientnet": (lambda: timm_model("test_efficientnet"), "classifier", 32, None),
    "timm vit": (lambda: timm_model("test_vit"), "head", 160, None),
    "by hand": (Hand, "scorer.last", 4, "scorer.last"),
    "sequential": (sequential, "1.1", 4, "1.1"),
}  # fmt: skip
names = pytest.mark.parametrize("model", MODELS, indirect=True)
_built: dict[str, nn.Module] = {}


@pytest.fixture
def model(request: pytest.FixtureRequest) -> Iterator[nn.Module]:
    """A model, built once for all tests and given back as it was."""
    key = request.param
    if key not in _built:
        torch.manual_seed(0)
        _built[key] = MODELS[key][0]().eval()
        _built[key].key = key
    yield _built[key]
    while True:
        try:
            detach_head(_built[key])
        except ValueError:
            break
    _built[key].eval()


def place(model: nn.Module) -> str:
    return MODELS[model.key][1]


def attach(model: nn.Module, *args: object, **options: object) -> OccamHead:
    torch.manual_seed(0)
    return attach_head(model, *args, name=MODELS[model.key][3], **options)  # type: ignore


def pictures(model: nn.Module, count: int = 2) -> Tensor:
    size = MODELS[model.key][2]
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


@names
@torch.no_grad()
def test_attach_and_detach(model):
    x = pictures(model)
    before, original = model(x), model.get_submodule(place(model))
    state = dict(model.state_dict())
    head = attach(model)
    assert isinstance(head, OccamHead) and model.get_submodule(place(model)) is head
    assert (head.in_features, head.out_features) == (original.in_features, original.out_features)
    seen: list[Tensor] = []
    hook = head.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    scores = model(x)
    hook.remove()
    assert scores.shape == before.shape and not torch.allclose(scores, before)
    # In eval mode the scores of the model are the printed formula of the features before it.
    torch.testing.assert_close(scores, head.formula().torch()(seen[0]))

    assert detach_head(model) is head
    assert model.get_submodule(place(model)) is original
    assert torch.equal(model(x), before)
    after = model.state_dict()
    assert list(after) == list(state)
    assert all(torch.equal(after[name], value) for name, value in state.items())
    with pytest.raises(ValueError, match="no head is attached"):
        detach_head(model)


@names
def test_the_original_neither_trains_nor_is_stored(model):
    original = model.get_submodule(place(model))
    head = attach(model)
    inside = {id(parameter) for parameter in model.parameters()}
    assert not inside & {id(parameter) for parameter in original.parameters()}
    assert {id(parameter) for parameter in head.parameters()} <= inside
    prefix = f"{place(model)}."
    mine = {name for name in model.state_dict() if name.startswith(prefix)}
    assert mine == {prefix + name for name in head.state_dict()}
    assert original not in list(model.modules())


@names
def test_mode_and_dtype_are_kept(model):
    for training in (True, False):
        model.train(training)
        head = attach(model)
        assert head.training == training
        detach_head(model)
    model.double()
    try:
        head = attach(model)
        assert {p.dtype for p in head.parameters()} == {torch.float64}
        assert head.feature_mean.dtype == torch.float64
        assert model.eval()(pictures(model).double()).dtype == torch.float64
        detach_head(model)
    finally:
        model.float()


@names
def test_a_second_head_is_refused(model):
    head = attach(model)
    with pytest.raises(ValueError, match="detach_head"):
        attach(model)
    assert model.get_submodule(place(model)) is head
    detach_head(model)
    assert isinstance(attach(model), OccamHead)


@names
def test_number_of_classes(model):
    stated = getattr(model, "num_classes", None)
    head = attach(model, 7, bases=["affine3"])
    assert head.out_features == 7 and head.network.layout.layers[0][0].name == "affine3"
    assert model.eval()(pictures(model)).shape == (2, 7)
    if stated is not None:
        assert model.num_classes == 7
    detach_head(model)
    assert getattr(model, "num_classes", None) == stated


@pytest.mark.parametrize("model", ["timm resnet", "timm vit"], indirect=True)
def test_timm_methods_go_on_working(model):
    head = attach(model, 4)
    assert model.get_classifier() is head
    features = model.forward_features(pictures(model))
    assert model.forward_head(features).shape == (2, 4)
    assert model.forward_head(features, pre_logits=True).shape == (2, head.in_features)


@pytest.mark.parametrize("model", ["resnet18", "by hand", "sequential"], indirect=True)
def test_copies_of_a_model_with_a_head(model):
    x = pictures(model)
    before = model(x)
    original_weight = model.get_submodule(place(model)).weight.clone()
    attach(model)
    scores = model(x)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(again(x), scores)
        detach_head(again)
        assert torch.equal(again(x), before)
        assert torch.equal(again.get_submodule(place(model)).weight, original_weight)
    assert torch.equal(model(x), scores)


@pytest.mark.parametrize("model", ["resnet18", "timm resnet", "by hand"], indirect=True)
def test_training_a_model_with_a_head(model):
    model = copy.deepcopy(model)
    original = model.get_submodule(place(model))
    weight = original.weight.clone()
    head = attach(model, 2, bases=["affine4"]).train()
    model.train()
    text = head.formula().text()
    optimiser = torch.optim.SGD(model.parameters(), lr=5.0)
    nn.functional.cross_entropy(model(pictures(model, 4)), torch.tensor([0, 1, 0, 1])).backward()
    optimiser.step()
    assert all(p.grad is not None for p in head.parameters() if p.numel())
    assert head.formula().text() != text
    detach_head(model)
    assert torch.equal(original.weight, weight)


@pytest.mark.parametrize("model", ["resnet18", "timm resnet", "by hand"], indirect=True)
def test_a_head_of_ones_own(model):
    width = model.get_submodule(place(model)).in_features
    torch.manual_seed(0)
    head = OccamHead(width, 3, ["affine2"])
    assert attach(model, head=head) is head
    assert model(pictures(model)).shape == (2, 3)
    detach_head(model)
    other = nn.Sequential(nn.Linear(width, 4), nn.Softmax(-1))
    assert attach(model, head=other) is other
    assert model(pictures(model)).shape == (2, 4)
    with pytest.raises(ValueError, match="detach_head"):
        attach(model)
    assert detach_head(model) is other


@pytest.mark.parametrize("model", ["resnet18", "timm resnet", "by hand"], indirect=True)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bases": ["sine"]}, "did you mean sin"),
        ({"temperature": -1.0}, "temperature"),
        ({"digits": 0}, "digits"),
        ({"num_classes": -1}, "out_features"),
        ({"head": OccamHead(3, 2)}, "features, the head 3"),
        ({"head": nn.Linear(3, 2)}, "features, the head 3"),
        ({"head": OccamHead(3, 2), "digits": 3}, "either a head or the options"),
        ({"head": OccamHead(3, 2), "num_classes": 3}, "either a head or the options"),
    ],
    ids=range(8),
)
def test_a_refused_head_leaves_the_model_alone(model, options, message):
    original = model.get_submodule(place(model))
    stated = getattr(model, "num_classes", None)
    with pytest.raises(ValueError, match=message):
        attach(model, **options)
    assert model.get_submodule(place(model)) is original
    assert getattr(model, "num_classes", None) == stated
    with pytest.raises(ValueError, match="no head is attached"):
        detach_head(model)


def test_a_misspelt_option_is_a_type_error():
    with pytest.raises(TypeError, match="digitz"):
        attach_head(Hand(), name="scorer.last", digitz=3)


@pytest.mark.parametrize(
    ("make", "name", "message"),
    [
        (Hand, None, r"no classifier in this Hand; name the attribute"),
        (Hand, "scorer.first", "has no attribute 'scorer.first'"),
        (Hand, "nobody", "has no attribute 'nobody'"),
        (Hand, "a.b.c", "has no attribute 'a.b.c'"),
        (Hand, "body", "'body' is a Sequential, not an nn.Linear"),
        (Hand, "body.2", "'body.2' is a ReLU"),
        (Hand, "forward", "not an nn.Linear"),
        (lambda: nn.Linear(3, 2), None, "no classifier in this Linear"),
        (nn.ReLU, None, "no classifier"),
        (sequential, "1.7", "has no attribute"),
    ],
)
def test_models_without_a_classifier_to_replace(make, name, message):
    with pytest.raises(ValueError, match=message):
        attach_head(make(), name=name)


@pytest.mark.slow
def test_classifier_of_a_headless_timm_model():
    timm = pytest.importorskip("timm")
    model = timm.create_model("resnet10t", pretrained=False, num_classes=0)
    with pytest.raises(ValueError, match="classifier"):
        attach_head(model)


@pytest.mark.parametrize("model", [name for name in MODELS if MODELS[name][3] is None],
                         indirect=True)  # fmt: skip
def test_where_the_classifier_is_found(model):
    assert find_place(model).names == (place(model),)
