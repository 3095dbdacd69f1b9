"""attach_head where the classifier is not one linear layer: several, a choice, a convolution."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from occamhead import OccamHead, attach_head, collect_features, detach_head


class Timmlike(nn.Module):
    """The conventions of timm: two classifiers, of which evaluation takes the mean."""

    pretrained_cfg: ClassVar[dict[str, tuple[int, ...]]] = {"input_size": (3, 4, 4)}

    def __init__(self, shared: bool = True, normed: bool = False) -> None:
        super().__init__()
        self.num_classes, self.shared = 3, shared
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(48, 12), nn.Tanh())
        self.head, self.head_dist = (self._layer(normed) for _ in range(2))

    def _layer(self, normed: bool) -> nn.Module:
        layer = nn.Linear(6, 3)
        return nn.Sequential(nn.BatchNorm1d(6), nn.Dropout(0.5), layer) if normed else layer

    def get_classifier(self) -> tuple[nn.Module, nn.Module]:
        return self.head, self.head_dist

    def reset_classifier(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.head = self.head_dist = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        first, second = (x[:, :6], x[:, :6]) if self.shared else (x[:, :6], x[:, 6:])
        return (self.head(first) + self.head_dist(second)) / 2


class Hidden(Timmlike):
    """A second classifier that `get_classifier` does not tell of, as that of VOLO."""

    def get_classifier(self) -> nn.Module:  # type: ignore[override]
        return self.head


class Inside(nn.Module):
    """Both classifiers in a module of their own, as in RepViT."""

    pretrained_cfg = Timmlike.pretrained_cfg

    def __init__(self) -> None:
        super().__init__()
        self.num_classes, self.head = 3, Timmlike(normed=True)
        self.head.body = nn.Identity()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(48, 6))

    def get_classifier(self) -> nn.Module:
        return self.head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def timm_model(name: str, **options: object) -> Callable[[], nn.Module]:
    return lambda: pytest.importorskip("timm").create_model(name, num_classes=3, **options)


def squeezenet() -> nn.Module:
    return pytest.importorskip("torchvision").models.squeezenet1_1(weights=None, num_classes=3)


SMALL = {
    "levit_128s": {"embed_dim": (16, 24, 32), "key_dim": 8, "num_heads": (2, 2, 2),
                   "depth": (1, 1, 1)},
    "deit_tiny_distilled_patch16_224": {"depth": 1, "embed_dim": 24, "num_heads": 2},
    "crossvit_tiny_240": {"embed_dim": (12, 24), "num_heads": (2, 2)},
}  # fmt: skip
# How it is built, the size of its pictures, where its head comes to stand, and its width.
ATTACHED: dict[str, tuple[Callable[[], nn.Module], int, list[str], int]] = {
    "two of the same features": (Timmlike, 4, ["head", "head_dist"], 6),
    "with norms": (lambda: Timmlike(normed=True), 4, ["head", "head_dist"], 6),
    "inside": (Inside, 4, ["head"], 6),
    "levit": (timm_model("levit_128s", **SMALL["levit_128s"]), 224, ["head", "head_dist"], 32),
    "convolution of dla": (timm_model("dla46x_c"), 64, ["fc.head"], 256),
    "convolution before pooling": (squeezenet, 64, ["classifier.1.head"], 512),
}  # fmt: skip
attached = pytest.mark.parametrize("name", ATTACHED)


def built(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    make, size, _, _ = ATTACHED[name]
    model = make()
    for module in model.modules():  # as after training: the norms are not those of a fresh model
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.running_mean.normal_(std=0.1)
    return model.eval(), torch.randn(2, 3, size, size)


@attached
@torch.no_grad()
def test_the_scores_are_the_formula_and_all_comes_back(name):
    model, x = built(name)
    _, _, places, width = ATTACHED[name]
    before = model(x)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    stated = getattr(model, "num_classes", None)
    modes = {key: module.training for key, module in model.named_modules()}
    head = attach_head(model.train(), 4)  # in training mode, and detached in the other one
    model.eval()
    assert isinstance(head, OccamHead) and head.in_features == width
    found = [key for key, part in model.named_modules(remove_duplicate=False) if part is head]
    assert found == places
    features, _ = collect_features(model, [(x, torch.zeros(2))])
    scores = model(x)
    assert scores.shape == (2, 4)
    assert torch.equal(scores, head.formula().torch()(features))
    assert getattr(model, "num_classes", stated) == (stated and 4)

    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        again.load_state_dict(model.state_dict())
        assert torch.equal(again.eval()(x), scores)
        detach_head(again)
        assert torch.equal(again(x), before)
    assert detach_head(model) is head
    after = model.state_dict()
    assert torch.equal(model(x), before) and list(after) == list(state)
    assert all(torch.equal(after[key], value) for key, value in state.items())
    assert getattr(model, "num_classes", None) == stated
    assert {key: module.training for key, module in model.named_modules()} == modes


@pytest.mark.parametrize("name", ["two of the same features", "inside", "convolution of dla"])
def test_training_reaches_body_and_head(name):
    model, x = built(name)
    head = attach_head(model, bases=["affine4"])
    nn.functional.cross_entropy(model.train()(x), torch.tensor([0, 2])).backward()
    assert all(p.grad is not None for p in head.parameters() if p.numel())
    first = next(parameter for parameter in model.parameters() if parameter.dim() > 1)
    assert first.grad is not None and first.grad.abs().sum() > 0


def test_a_convolution_keeps_the_scores_of_its_mean():
    """The mean of a linear map is the linear map of the mean."""
    torch.manual_seed(0)
    chain = nn.Sequential(nn.Conv2d(4, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model, x = nn.Sequential(chain), torch.randn(2, 4, 5, 6)
    before = model(x)
    linear = nn.Linear(4, 3)
    linear.load_state_dict({k: v.flatten(1) if v.dim() > 1 else v
                            for k, v in chain[0].state_dict().items()})  # fmt: skip
    attach_head(model, name="0.0", head=linear)
    torch.testing.assert_close(model(x), before)


def test_a_model_with_a_head_for_a_convolution_is_traced_and_exported():
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 3, 1), nn.Flatten()).eval()
    attach_head(model, name="1", head=nn.Linear(4, 3))
    x = torch.randn(2, 4, 5, 6)
    assert torch.equal(torch.fx.symbolic_trace(model)(x), model(x))
    assert torch.equal(torch.export.export(model, (x,)).module()(x), model(x))


# --- refusals --------------------------------------------------------------------------------


def unlike() -> nn.Module:
    return Timmlike(shared=False)


UNLIKE = {
    "by hand": (unlike, 4, r"'head' \(6 -> 3\), 'head_dist' \(6 -> 3\)"),
    "hidden": (lambda: Hidden(shared=False), 4, r"'head' \(6 -> 3\), 'head_dist'"),
    "hidden, same features": (Hidden, 4, r"'head' \(6 -> 3\), 'head_dist'"),
    "deit": (timm_model("deit_tiny_distilled_patch16_224",
                        **SMALL["deit_tiny_distilled_patch16_224"]), 224,
             r"'head' \(24 -> 3\), 'head_dist' \(24 -> 3\)"),
    "crossvit": (timm_model("crossvit_tiny_240", **SMALL["crossvit_tiny_240"]), 240,
                 r"'head\.0' \(12 -> 3\), 'head\.1' \(24 -> 3\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNLIKE)
def test_classifiers_of_unlike_features_are_refused_and_the_remedy_works(name):
    make, size, words = UNLIKE[name]
    model = make().eval()
    x = torch.randn(2, 3, size, size)
    before = model(x)
    state = list(model.state_dict())
    random_state = torch.get_rng_state()
    for given in (None, "head.0" if name == "crossvit" else "head"):
        with pytest.raises(ValueError, match=rf"several classifiers, {words}.*reset_classifier"):
            attach_head(model, 4, name=given)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert list(model.state_dict()) == state and torch.equal(model(x), before)
    # What the message says.
    model.reset_classifier(0)
    whole = nn.Sequential(model, nn.Linear(model(x).shape[1], 3))
    head = attach_head(whole, name="1", example=x)
    features, _ = collect_features(whole, [(x, torch.zeros(2))])
    assert torch.equal(whole.eval()(x), head.formula().torch()(features))


class Several(nn.Module):
    """Layers of usual names; the scores are the classifier's."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.fc(x).relu())


def hidden_fc() -> Several:
    return Several(fc=nn.Linear(4, 8), classifier=nn.Linear(8, 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (hidden_fc, r"2 layers .* 'fc' \(4 -> 8\), 'classifier' \(8 -> 3\); name the one"),
        (
            lambda: Several(head=nn.ModuleDict({"cls": nn.Linear(8, 3), "box": nn.Linear(8, 4)})),
            r"'head\.cls' \(8 -> 3\), 'head\.box' \(8 -> 4\)",
        ),
    ],
    ids=["hidden fc", "two tasks"],
)
def test_a_choice_is_left_to_the_user(make, words):
    with pytest.raises(ValueError, match=words):
        attach_head(make())


def test_a_model_that_states_its_number_of_classes_leaves_no_choice():
    model = hidden_fc()
    model.num_classes = 3
    assert attach_head(model, 2) is model.classifier and model.num_classes == 2
    assert attach_head(hidden_fc(), name="fc").in_features == 4  # the user's word


def test_an_example_shows_whether_the_scores_are_the_head_s():
    x = torch.randn(5, 4)
    with pytest.raises(ValueError, match=r"'fc' \(4 -> 8\) alone gives; name the layer"):
        attach_head(hidden_fc(), name="fc", example=x)
    model = hidden_fc()
    attach_head(model, name="classifier", example=(x,))
    detach_head(model)
    attach_head(model, name="classifier", example={"x": x})
    with pytest.raises(ValueError, match=r"cannot be tried: .* example="):
        attach_head(hidden_fc(), name="classifier", example=torch.randn(5, 9))


class Teacherlike(nn.Module):
    """Two classifiers as transformers has them, of a model that is not asked for its own."""

    def __init__(self) -> None:
        super().__init__()
        self.num_labels = 3
        self.cls_classifier, self.distillation_classifier = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return (self.cls_classifier(x) + self.distillation_classifier(x)) / 2


def test_naming_one_of_two_does_not_do_where_the_scores_are_of_both():
    x = torch.randn(5, 4)
    with pytest.raises(ValueError, match="2 layers that may be its classifier"):
        attach_head(Teacherlike())
    with pytest.raises(ValueError, match=r"'distillation_classifier' .* give an input"):
        attach_head(Teacherlike(), name="cls_classifier")
    with pytest.raises(ValueError, match=r"alone gives; .* put a new nn\.Linear"):
        attach_head(Teacherlike(), name="cls_classifier", example=x)


def test_several_classifiers_without_an_input_to_try():
    model = Timmlike()
    model.pretrained_cfg = {}
    with pytest.raises(ValueError, match=r"'head' .* 'head_dist' .* example="):
        attach_head(model)
    assert attach_head(model, example=torch.randn(1, 3, 4, 4)) is model.head_dist


def test_a_convolution_over_a_map_is_told_so():
    model = nn.Sequential(nn.Conv2d(4, 3, 1), nn.Flatten())
    attach_head(model, name="0")
    assert model(torch.randn(2, 4, 1, 1)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"wanted pooled features .* got \[2, 4, 5, 5\]"):
        model(torch.randn(2, 4, 5, 5))
    detach_head(model)
    with pytest.raises(ValueError, match="cannot be tried: wanted pooled features"):
        attach_head(model, name="0", example=torch.randn(2, 4, 5, 5))
    wide = nn.Sequential(nn.Conv2d(4, 3, 3), nn.Flatten())
    with pytest.raises(ValueError, match=r"'0' is a Conv2d, not an nn.Linear or 1 x 1"):
        attach_head(wide, name="0")


def test_a_model_without_a_classifier_says_how_to_get_one():
    model = pytest.importorskip("timm").create_model("test_resnet", num_classes=0)
    with pytest.raises(ValueError, match=r"no classifier \(its number of classes is 0\).*reset"):
        attach_head(model)


# --- numbers of classes ------------------------------------------------------------------------


class Transformerlike(nn.Module):
    """A classifier as transformers builds it: the loss reads `num_labels`."""

    def __init__(self, **config: object) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_labels=3, **config)
        self.num_labels = 3
        self.body, self.score = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, values: Tensor, labels: Tensor | None = None) -> SimpleNamespace:
        scores = self.score(self.body(values))
        loss = None
        if labels is not None:
            scores_ = scores.view(-1, self.num_labels)
            loss = nn.functional.cross_entropy(scores_, labels.view(-1))
        return SimpleNamespace(loss=loss, logits=scores)


NAMES = {"id2label": {0: "ant", 1: "bee", 2: "fly"}, "label2id": {"ant": 0, "bee": 1, "fly": 2}}


def test_the_number_of_labels_follows_the_head():
    model = Transformerlike(**copy.deepcopy(NAMES))
    values, labels = torch.randn(4, 4), torch.tensor([0, 4, 3, 1])
    head = attach_head(model, 5, example={"values": values})
    assert model.num_labels == model.config.num_labels == 5
    assert model.config.id2label[4] == "LABEL_4" and len(model.config.id2label) == 5
    assert model.config.label2id == {name: i for i, name in model.config.id2label.items()}
    model(values, labels).loss.backward()
    x, y = collect_features(model, [{"values": values, "labels": labels}])
    assert torch.equal(model.eval()(values).logits, head(x)) and torch.equal(y, labels)
    detach_head(model)
    assert model.num_labels == model.config.num_labels == 3
    assert vars(model.config) == {"num_labels": 3, **NAMES}


def test_the_number_follows_in_a_model_that_is_a_part_of_another():
    model = nn.ModuleDict({"inner": Transformerlike()})
    before = model["inner"].num_labels
    attach_head(model, 2, name="inner.score")
    assert model["inner"].num_labels == model["inner"].config.num_labels == 2
    detach_head(model)
    assert model["inner"].num_labels == model["inner"].config.num_labels == before


def test_one_layer_of_two_names_is_replaced_by_both():
    model = Several(fc=nn.Linear(4, 3))
    model.classifier = layer = model.fc
    head = attach_head(model)
    assert model.fc is model.classifier is head
    detach_head(model)
    assert model.fc is model.classifier is layer


def test_names_stay_where_the_number_does_and_none_are_made_up():
    model = Transformerlike(**copy.deepcopy(NAMES))
    attach_head(model)
    assert vars(model.config) == {"num_labels": 3, **NAMES}
    bare = Transformerlike()
    attach_head(bare, 5)
    assert vars(bare.config) == {"num_labels": 5}
    other = hidden_fc()
    other.config = {"num_labels": 7}  # someone else's
    attach_head(other, 2, name="classifier")
    assert other.config == {"num_labels": 7} and not hasattr(other, "num_labels")
