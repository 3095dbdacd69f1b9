"""What the tests share: planted rows, small pictures, real data, no network, and a time limit."""

from __future__ import annotations

import datetime
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import nn

from occamhead.rows.arrays import ArrayData

# Read before any test sees to it that recipes do not find it.
REAL_DATA = os.environ.get("OCCAMHEAD_DATA")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--minutes", type=float,
        help="begin no test after these minutes; which files come first changes from day to day",
    )  # fmt: skip


class TimeLimit:
    """Skips what there is no time for, and lets each file have its turn on some day."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes
        self.ends = time.monotonic() + 60 * minutes

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        today = datetime.date.today().isoformat()
        items.sort(key=lambda item: hashlib.sha256(f"{today} {item.path.name}".encode()).digest())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        if time.monotonic() > self.ends:
            pytest.skip(f"the {self.minutes:g} minutes are over")


def pytest_configure(config: pytest.Config) -> None:
    minutes = config.getoption("--minutes")
    if minutes is not None:
        config.pluginmanager.register(TimeLimit(minutes))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Send https into the void, start from empty caches and without data, on one thread."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    for name in ("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    caches = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("XDG_CACHE_HOME", str(caches))
    monkeypatch.setenv("TORCH_HOME", str(caches / "torch"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("OCCAMHEAD_DATA", raising=False)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in a fixed order, and no quarrel over the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real data; tests that need them are skipped where they are not."""
    if not REAL_DATA or not Path(REAL_DATA).is_dir():
        pytest.skip("OCCAMHEAD_DATA does not name the folder of real data")
    return Path(REAL_DATA)


class Planted:
    """Rows whose class depends on a few known features, through a linear score and a coin.

    With two classes, row x is of class 1 with probability sigmoid(x @ weights); with more, each
    class has some features of its own. `bayes` is the best accuracy possible on the test rows.
    """

    def __init__(
        self,
        rows: int = 400,
        features: int = 300,
        informative: int = 4,
        classes: int = 2,
        seed: int = 0,
        strength: float = 2.0,
        batch_size: int = 128,
    ) -> None:
        generator = np.random.default_rng(seed)
        self.informative = np.sort(generator.choice(features, informative, replace=False))
        weights = np.zeros((features, classes))
        if classes == 2:
            signs = generator.choice([-1.0, 1.0], informative)
            weights[self.informative, 1] = strength * signs
        else:
            for position, feature in enumerate(self.informative):
                weights[feature, position % classes] = 2 * strength
        shift = generator.normal(scale=3, size=features)
        spread = generator.uniform(0.2, 5, size=features)

        def draw(count: int) -> tuple[np.ndarray, np.ndarray, float]:
            z = generator.normal(size=(count, features))
            scores = z @ weights
            odds = np.exp(scores - scores.max(axis=1, keepdims=True))
            odds /= odds.sum(axis=1, keepdims=True)
            labels = (odds.cumsum(axis=1) < generator.uniform(size=(count, 1))).sum(axis=1)
            best = float((odds.argmax(axis=1) == labels).mean())
            return (shift + spread * z).astype(np.float32), labels.astype(np.int64), best

        self.train = draw(rows)[:2]
        self.validation = draw(rows // 4)[:2]
        *test, self.bayes = draw(2000)
        self.test = (test[0], test[1])
        self.batch_size = batch_size

    def data(self) -> ArrayData:
        return ArrayData(self.train, self.validation, self.test, batch_size=self.batch_size)


@pytest.fixture(scope="session")
def planted() -> type[Planted]:
    return Planted


@pytest.fixture
def colours(tmp_path: Path) -> Callable[..., Path]:
    """Write reddish and bluish noise to train/ and val/, each with a folder per class."""

    def write(count: int = 8, root: Path = tmp_path / "colours") -> Path:
        generator = np.random.default_rng(0)
        for split, number in (("train", count), ("val", count // 2)):
            for channel, name in ((0, "red"), (2, "blue")):
                (root / split / name).mkdir(parents=True)
                for i in range(number):
                    picture = generator.integers(0, 120, (40, 40, 3), dtype=np.uint8)
                    picture[..., channel] += 120
                    Image.fromarray(picture).save(root / split / name / f"{i}.png")
        return root

    return write


@pytest.fixture(scope="session")
def few_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MNIST's four files, with a few noisy pictures of each digit."""
    folder = tmp_path_factory.mktemp("few_digits")
    generator = np.random.default_rng(0)
    shapes = generator.integers(0, 200, (10, 28, 28), dtype=np.uint8)
    for name, count in (("train", 200), ("t10k", 100)):
        labels = np.arange(count, dtype=np.uint8) % 10
        noise = generator.integers(0, 55, (count, 28, 28), dtype=np.uint8)
        for kind, array in (("images-idx3", shapes[labels] + noise), ("labels-idx1", labels)):
            sizes = np.array(array.shape, dtype=">i4").tobytes()
            start = bytes((0, 0, 8, array.ndim)) + sizes
            (folder / f"{name}-{kind}-ubyte").write_bytes(start + array.tobytes())
    return folder


@pytest.fixture
def make_trainer(tmp_path: Path) -> Callable[..., pl.Trainer]:
    """A quiet Trainer on the CPU."""

    def make(**options: object) -> pl.Trainer:
        defaults: dict[str, object] = {
            "accelerator": "cpu",
            "devices": 1,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "default_root_dir": tmp_path,
        }
        return pl.Trainer(**{**defaults, **options})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def resnet_file(tmp_path_factory):
    """Weights of a ResNet-18 whose batch statistics are not trivial."""
    import torchvision

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torchvision.models.resnet18(weights=None)
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.uniform_(-0.1, 0.1)
                part.running_var.uniform_(0.9, 1.1)
                nn.init.uniform_(part.weight, 0.5, 1.0)
    file = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network.state_dict(), file)
    return file
