import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from occamhead.vision import Backbone, PictureArrays


def replace_unnoticed(name):
    """Change the content of a file, but not its size and time."""
    file = Path(name)
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.fixture
def closed_port():
    """A port of this machine on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    return port


@pytest.fixture(autouse=True)
def no_network(monkeypatch, closed_port):
    """Send https into the void: no test may use the network, and all must pass without it."""
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed_port}")
    for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch, tmp_path_factory):
    caches = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("XDG_CACHE_HOME", str(caches))
    monkeypatch.setenv("TORCH_HOME", str(caches / "torch"))


@pytest.fixture
def no_data(monkeypatch):
    monkeypatch.delenv("OCCAMHEAD_DATA", raising=False)


@pytest.fixture(scope="session")
def data_folder():
    """The real data; tests that need them are skipped where they are not."""
    root = os.environ.get("OCCAMHEAD_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("OCCAMHEAD_DATA does not name the folder of real data")
    return Path(root)


@pytest.fixture
def make_photographs(tmp_path):
    """Write noisy JPEGs to FOLDER/CLASS/N.jpg for `{folder: {class: count}}`; return the root."""

    def make(tree, root=tmp_path / "photographs"):
        generator = np.random.default_rng(0)
        for folder, classes in tree.items():
            for name, count in classes.items():
                place = root / folder / name
                place.mkdir(parents=True)
                for i in range(count):
                    noise = generator.integers(0, 256, (40, 48, 3), dtype=np.uint8)
                    Image.fromarray(noise).save(place / f"{i}.jpg")
        return root

    return make


@pytest.fixture
def grey_pictures():
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 5), dtype=np.uint8)
    names = [f"noise/{i}" for i in range(7)]
    return PictureArrays(images, names, [0, 1, 0, 1, 0, 1, 1], ("a", "b"))


class ToSmallTensor:
    """A picklable transform with a telling repr."""

    def __init__(self, size=8):
        self.size = size

    def __repr__(self):
        return f"ToSmallTensor({self.size})"

    def __call__(self, image):
        array = np.array(image.resize((self.size, self.size)), dtype=np.float32)
        return torch.from_numpy(array / 255).permute(2, 0, 1)


@pytest.fixture
def make_backbone():
    """Build a small but real backbone; `passes` counts the batches that went through it."""

    def make(size=8, fingerprint="f0"):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        module[1].running_mean.uniform_(-1, 1)
        module.eval()
        module.passes = 0

        def count(module, *_):
            module.passes += 1

        module.register_forward_hook(count)
        return Backbone("small", module, 4, ToSmallTensor(size), "random", fingerprint, None)

    return make
