"""Every classifier of torchvision, and the smallest model of most families of timm (slow)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from occamhead import attach_head, collect_features, detach_head

pytestmark = pytest.mark.slow

# The smallest of each of timm's modules, by number of weights, where it has less than 32 million;
# and more with two classifiers, or a convolution as classifier.
TIMM = [
    "test_efficientnet", "test_nfnet", "test_mambaout", "test_byobnet", "test_convnext",
    "test_vit", "test_resnet", "lcnet_035", "starnet_s050", "test_coatnet", "test_vit_relpos",
    "dla46x_c", "mobilevit_xxs", "repghostnet_050", "edgenext_xx_small", "ghostnet_050",
    "ese_vovnet19b_slim_dw", "efficientvit_b0", "efficientvit_m0", "regnetx_002", "cspnext_tiny",
    "iformer_t", "fasternet_t0", "cs3darknet_focus_s", "lcnetv2_small", "xcit_nano_12_p8_224",
    "swiftformer_xs", "inception_next_atto", "efficientformerv2_s0", "fastvit_t8", "pvt_v2_b0",
    "rexnet_100", "hardcorenas_b", "hgnetv2_b0", "pit_ti_224", "repvit_m1", "cpubone_nano",
    "tiny_vit_5m_224", "coat_tiny", "vit_tiny_patch16_dinov3_qkvb", "convit_tiny",
    "deit_tiny_patch16_224", "efficientvim_m1", "gmlp_ti16_224", "shvit_s1",
    "vit_tiny_r_s16_p8_224", "crossvit_tiny_240", "densenet121", "levit_128s", "halonet_h1",
    "dpn48b", "resnest14d", "visformer_tiny", "csatv2", "hrnet_w18_small", "resnetv2_18",
    "legacy_seresnet18", "poolformerv2_s12", "efficientformer_l1", "skresnet18", "gcvit_xxtiny",
    "cait_xxs24_224", "lowformer_b0", "nest_tiny", "convmixer_768_32", "legacy_xception",
    "inception_v3", "vitamin_small_224", "res2next50", "rdnet_tiny", "tnt_s_legacy_patch16_224",
    "mvitv2_tiny", "twins_svt_small", "xception41p", "volo_d1_224", "sam2_hiera_tiny",
    "hiera_tiny_224", "sequencer2d_s", "swin_tiny_patch4_window7_224", "swinv2_cr_tiny_224",
    "swinv2_tiny_window16_256", "davit_tiny", "focalnet_tiny_srf", "selecsls42", "tresnet_m",
    "nextvit_small", "deit_tiny_distilled_patch16_224", "pit_ti_distilled_224",
    "efficientvim_m1_dist", "resnetv2_50x1_bit",
]  # fmt: skip
# Their several classifiers take different features.
REFUSED = {
    "crossvit_tiny_240": "several classifiers, 'head.0' (96 -> 10), 'head.1' (192 -> 10)",
    "deit_tiny_distilled_patch16_224": "several classifiers, 'head' (192 -> 10), 'head_dist'",
    "efficientvim_m1": "several classifiers, 'heads.0' (128 -> 10), 'heads.1' (192 -> 10)",
    "efficientvim_m1_dist": "several classifiers, 'heads.0' (128 -> 10), 'heads.1' (192 -> 10)",
    "pit_ti_distilled_224": "several classifiers, 'head' (256 -> 10), 'head_dist' (256 -> 10)",
    "volo_d1_224": "several classifiers, 'head' (384 -> 10), 'aux_head' (384 -> 10)",
}
# Left out: those of torchvision with more than a hundred million weights, which differ from smaller
# ones of their class in their number of layers alone.
LARGE = 100_000_000


def timm_model(name: str) -> nn.Module:
    return pytest.importorskip("timm").create_model(name, pretrained=False, num_classes=10)


def torchvision_model(name: str) -> nn.Module:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return pytest.importorskip("torchvision").models.get_model(name, num_classes=10, **options)


def torchvision_names() -> list[str]:
    models = pytest.importorskip("torchvision").models
    names = models.list_models(module=models)
    return [n for n in names if models.get_model_weights(n).DEFAULT.meta["num_params"] < LARGE]


def pictures(model: nn.Module, sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Pictures of the first size that a model takes, and its scores of them."""
    stated = getattr(model, "pretrained_cfg", {}).get("input_size", (3, 224, 224))
    for size in (*sizes, stated[-1]):
        x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
        try:
            return x, model(x)
        except (RuntimeError, AssertionError, ValueError, IndexError):
            if size == stated[-1]:
                raise
    raise AssertionError("unreachable")


def check(make: Callable[[], nn.Module], refusal: str | None = None) -> None:
    """One model: a head attached, its scores, gradients, state, copy; the classifier given back."""
    torch.manual_seed(0)
    model = make().eval()
    with torch.no_grad():
        x, before = pictures(model, (64, 96, 128))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    if refusal is None:
        head = attach_head(model, 4, bases=["affine4"])
        _check_attached(model, head, x, make)
        assert detach_head(model) is head
    else:
        with pytest.raises(ValueError, match=re.escape(refusal)):
            attach_head(model, 4)
    after = model.state_dict()
    assert list(after) == list(state)
    assert all(torch.equal(after[name], value) for name, value in state.items())
    with torch.no_grad():
        assert torch.equal(model(x), before)
    if refusal is not None:
        _check_remedy(model, x)


def _check_remedy(model: nn.Module, x: Tensor) -> None:
    """What the refusal says to do gives a model whose scores are a formula's."""
    with torch.no_grad():
        model.reset_classifier(0)
        whole = nn.Sequential(model, nn.Linear(model(x).shape[1], 10))
        head = attach_head(whole, 4, name="1", example=x)
        features, _ = collect_features(whole, [(x, torch.zeros(2))])
        assert torch.equal(whole.eval()(x), head.formula().torch()(features))


def _check_attached(
    model: nn.Module, head: nn.Module, x: Tensor, make: Callable[[], nn.Module]
) -> None:
    features, _ = collect_features(model, [(x, torch.zeros(2))])
    with torch.no_grad():
        scores = model.eval()(x)
        assert scores.shape == (2, 4)
        assert torch.equal(scores, head.formula().torch()(features))
        assert torch.equal(copy.deepcopy(model)(x), scores)
        again = make().eval()
        attach_head(again, 4, bases=["affine4"])
        again.load_state_dict(model.state_dict())
        assert torch.equal(again.eval()(x), scores)
    head.train()
    nn.functional.cross_entropy(model(x), torch.tensor([0, 3])).backward()
    assert all(p.grad is not None for p in head.parameters() if p.numel())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for n, p in model.named_parameters()
               if not any(p is own for own in head.parameters()))  # fmt: skip
    head.eval()


@pytest.mark.parametrize("name", TIMM)
def test_timm(name):
    check(lambda: timm_model(name), REFUSED.get(name))


@pytest.mark.parametrize("name", torchvision_names())
def test_torchvision(name):
    check(lambda: torchvision_model(name))
