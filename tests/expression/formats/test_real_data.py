"""On real data every language gives every row the class of the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from occamhead import OccamHead
from tests.expression.formats.machines import run_all, run_onnx

pytestmark = pytest.mark.usefixtures("one_thread")


def quick_head(features: torch.Tensor, labels: torch.Tensor, steps: int = 60) -> OccamHead:
    """A head trained for a moment: what it gets right is not the question here."""
    torch.manual_seed(0)
    head = OccamHead(features.shape[1], int(labels.max()) + 1, ["affine16"]).train()
    head.initialise(features, labels)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        head.network.anneal(step / steps, end=0.03)
        rows = torch.randint(len(features), (256,), generator=generator)
        optimiser.zero_grad()
        nn.functional.cross_entropy(head(features[rows]), labels[rows]).backward()
        optimiser.step()
    return head.eval()


def check_on(head: OccamHead, rows: np.ndarray, folder: Path) -> None:
    """Every language gives every test row the class of the head, and so does float32."""
    formula = head.formula()
    with torch.no_grad():
        wanted = head.eval()(torch.from_numpy(rows)).argmax(1).numpy()
    for language, (_, classes) in run_all(head, folder, rows).items():
        assert (classes != wanted).sum() == 0, language
    pytest.importorskip("onnxscript")
    for dtype in (torch.float32, torch.float64):
        path = head.export(folder / "f.onnx", dtype=dtype, overwrite=True)
        found = run_onnx(path, torch.from_numpy(rows).to(dtype).numpy())[1]
        assert (found != wanted).sum() == 0, dtype
    program = torch.export.export(
        head, (torch.from_numpy(rows[:3]),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    assert torch.equal(program.module()(torch.from_numpy(rows)).argmax(1), torch.tensor(wanted))
    torch.compiler.reset()
    compiled = torch.compile(head, backend="aot_eager", fullgraph=True, dynamic=True)
    assert torch.equal(compiled(torch.from_numpy(rows)).argmax(1), torch.tensor(wanted))
    assert len(set(wanted.tolist())) == len(formula)


@pytest.fixture
def real_data(data_folder, monkeypatch):
    monkeypatch.setenv("OCCAMHEAD_DATA", str(data_folder))


@pytest.mark.slow
def test_ten_digits(tmp_path, real_data):
    """All 10,000 test digits of MNIST, ten classes, from pixels."""
    from occamhead.vision import MNISTData

    data = MNISTData(range(10), cache_dir=str(tmp_path))
    data.setup()
    head = quick_head(*map(torch.tensor, data.arrays.train))
    rows, labels = map(torch.tensor, data.arrays.test)
    assert len(rows) == 10_000
    accuracy = (head(rows).argmax(1) == labels).float().mean()
    assert accuracy > 0.7  # not a head that says the same of everything
    check_on(head, rows.numpy(), tmp_path)


@pytest.mark.slow
def test_photographs_through_the_backbone(tmp_path, real_data):
    """All 153 test photographs of ants and bees: from features, and ONNX from the pictures."""
    from occamhead.vision import FeatureData, PictureData

    data = FeatureData("hymenoptera", backbone="resnet50")
    data.setup()
    head = quick_head(*map(torch.tensor, data.arrays.train))
    rows = torch.tensor(data.arrays.test[0])
    assert rows.shape == (153, 2048)
    check_on(head, rows.numpy(), tmp_path)

    photographs = PictureData("hymenoptera", backbone="resnet50", batch_size=32)
    photographs.setup()
    path = head.export(tmp_path / "m.onnx", backbone=data.backbone.module, example=(3, 224, 224))
    model = nn.Sequential(data.backbone.module, head).eval()
    compiled = torch.compile(model, dynamic=True)
    exported = torch.export.export(
        model,
        (torch.zeros(2, 3, 224, 224),),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    ).module()
    wanted = head(rows).argmax(1).numpy()
    found = {"onnx": [], "model": [], "compiled": [], "exported": []}
    with torch.no_grad():
        for pictures, _ in photographs.test_dataloader():
            found["onnx"] += run_onnx(path, pictures.numpy())[1].tolist()
            for name, form in (("model", model), ("compiled", compiled), ("exported", exported)):
                found[name] += form(pictures).argmax(1).tolist()
    for name, classes in found.items():
        assert (np.array(classes) != wanted).sum() == 0, name
