"""What is parsed and read: of each seeds, and what it may raise."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import nn

from occamhead import Expression, OccamHead, OccamModule
from occamhead.commands.csv_table import read_csv
from occamhead.commands.names import read_names
from occamhead.commands.parser import build_parser
from occamhead.distill import FeatureSpec, Lifted, lift
from occamhead.essence import fit_circuit
from occamhead.expression.units import Unit
from occamhead.heads.base import SymbolicHead
from occamhead.heads.model_file import load_model, save_model
from occamhead.saving import Kept
from occamhead.training.checkpoints import SEAL
from occamhead.vision.backbones import Backbone, build_backbone
from occamhead.vision.decoding import UNREADABLE, read_rgb
from occamhead.vision.digits import _read_idx
from occamhead.vision.features import cached_arrays, cached_features
from occamhead.vision.pictures import PictureArrays
from occamhead.vision.preparation import Preparation


@dataclass(frozen=True)
class Reader:
    """Something that reads bytes.

    Args:
        name: Of what is read.
        seeds: Sound inputs.
        read: Reads one; raises AssertionError if it believed what is damaged.
        documented: What it may raise, by its documentation.
        most: Bytes that one input may take.
    """

    name: str
    seeds: list[bytes]
    read: Callable[[bytes], object]
    documented: tuple[type[BaseException], ...] = (ValueError,)
    most: int = 200 * 2**20


TEXTS = [
    "2*x0 - 3*x1 + 0.25", "sin(x0)**2/(1 + exp(-x1))", "x0 if x1 < 0.5 else x2",
    "max(x0, x1, 3)*`some name` // 7 % 2", "x0**x1**-2", "1e-7*x0*x1*x2*x3",
    "choose(x0, 1, x1, x2)", "abs(log(x0) - 2.718281828459045)",
]  # fmt: skip


def readers(folder: Path) -> list[Reader]:
    """All of them; files are written into a folder."""
    return [
        *_texts(), *_tables(folder), *_heads(folder), *_caches(folder), *_pictures(folder),
    ]  # fmt: skip


def _used(formula: Expression) -> None:
    """What everybody does with a formula that was read."""
    lines = formula.text()
    inputs = {"num_inputs": formula.num_inputs, "names": formula.names}
    # A table that nobody would build, with 0*x0 in it, comes back as one that is built.
    again = Expression.parse(lines, **inputs)
    assert Expression.parse(again.text(), **inputs) == again
    formula.rule()
    compile(formula.python(), "formula", "exec")


def _text(data: bytes) -> None:
    named = b"some name" in data
    names = ["x0", "x1", "x2", "x3", "some name"] if named else None
    _used(Expression.parse(data.decode("utf-8", "surrogateescape"), names=names))


def _texts() -> list[Reader]:
    parsed = [Expression.parse(text) for text in TEXTS if "`" not in text]
    named = Expression.parse("2*a + `b c`", names=["a", "b c"])
    sealed = [formula.to_json().encode() for formula in [*parsed, named]]
    lifted = _lifted().to_json().encode()
    return [
        Reader("text", [text.encode() for text in TEXTS], _text),
        Reader("text to sympy", [text.encode() for text in TEXTS[:3]],
               lambda data: Expression.parse(data.decode("latin-1")).sympy()),
        Reader("JSON", sealed, lambda data: _used(Expression.from_json(_decoded(data)))),
        Reader("JSON without a seal", [_unsealed(data) for data in sealed],
               lambda data: _used(Expression.from_json(_decoded(data)))),
        Reader("lifted JSON", [lifted], lambda data: Lifted.from_json(_decoded(data))),
        Reader("lifted JSON without a seal", [_unsealed(lifted)],
               lambda data: Lifted.from_json(_decoded(data)).source),
        Reader("units", [b"kg*m/s^2", b"m^(1/2)*s**-3", b"J/(mol*K)", b"1e3 Hz"],
               lambda data: Unit.parse(data.decode("latin-1"))),
    ]  # fmt: skip


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _unsealed(data: bytes) -> bytes:
    def without(found: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in found.items() if key != "sha256"}

    return json.dumps(json.loads(data, object_hook=without)).encode()


def _lifted() -> Lifted:
    x = {n: FeatureSpec.booleans(n).rows() for n in (3, 4, 5, 6)}
    data = {n: (x[n], x[n].sum(axis=1) > n // 2) for n in x}
    held_out = {6: data.pop(6)}
    return lift({n: fit_circuit(*pair) for n, pair in data.items()}, data, held_out)


def _tables(folder: Path) -> list[Reader]:
    def csv(data: bytes) -> None:
        table = read_csv(_file(folder, data))
        table.numbers(table.others(None, None))

    def arguments(data: bytes) -> None:
        words = [word.decode("utf-8", "surrogateescape") for word in data.split(b" ")]
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            build_parser().parse_args(words)

    return [
        Reader("CSV", [b"a,b,c\n1,2,3\n4,5.5,1e-3\n", b"x;y\ntrue;1\nno;2\n"], csv),
        Reader("names", [b"538: fuzzy body\n12: leg\n", b"# none\n"],
               lambda data: read_names(_file(folder, data))),
        # What cannot be read ends by SystemExit, as everywhere.
        Reader("words of a command",
               [b"law t.csv --target y --seconds 3 --bounds 0 inf --monotone a=increasing",
                b"photos pets --max-features 4 --classes a b --seed 1",
                b"distill t.csv --rows r.csv --out o", b"demo --max-features 8"],
               arguments, (SystemExit,)),
    ]  # fmt: skip


def _file(folder: Path, data: bytes, name: str = "input") -> Path:
    file = folder / name
    file.write_bytes(data)
    return file


def _heads(folder: Path) -> list[Reader]:
    torch.manual_seed(0)
    head = OccamHead(6, 2, bases=["affine2"], classes=["a", "b"]).eval()
    head.save(folder / "head")
    weights = head.state_dict()
    old = torch.load(folder / "head", weights_only=True)
    del old["sealed"]
    sealed, unsealed = (folder / "head").read_bytes(), _saved(old)

    def load(data: bytes) -> None:
        again = SymbolicHead.load(_file(folder, data))
        same = again.state_dict()
        assert all(torch.equal(same[name], value) for name, value in weights.items())

    module = OccamModule(6, 2, head={"bases": ["affine2"]})
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu",
                         enable_model_summary=False)  # fmt: skip
    trainer.strategy.connect(module)
    trainer.save_checkpoint(folder / "ckpt", weights_only=True)
    kept = module.state_dict()
    content = torch.load(folder / "ckpt", weights_only=True)
    del content[SEAL]

    def load_checkpoint(data: bytes) -> None:
        same = OccamModule.load_from_checkpoint(_file(folder, data)).state_dict()
        assert all(torch.equal(same[name], value) for name, value in kept.items())

    network = build_backbone("shufflenet_v2_x0_5")
    shape = Preparation(256, (224, 224), "bilinear", (0.5,) * 3, (0.2,) * 3)
    backbone = Backbone("shufflenet_v2_x0_5", network.eval(), 1024, shape, "random", "", None)
    save_model(folder / "model", backbone, OccamHead(1024, 2, bases=["affine2"]).eval(), ["a", "b"])
    return [
        Reader("head", [sealed], load),
        # Weights that were changed cannot be told without a seal.
        Reader("head without a seal", [unsealed],
               lambda data: SymbolicHead.load(_file(folder, data))),
        Reader("checkpoint", [(folder / "ckpt").read_bytes()], load_checkpoint),
        Reader("checkpoint without a seal", [_saved(content)],
               lambda data: OccamModule.load_from_checkpoint(_file(folder, data))),
        Reader("artefact", [(folder / "model").read_bytes()],
               lambda data: load_model(_file(folder, data))),
    ]  # fmt: skip


def _saved(content: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    torch.save(content, sink)
    return sink.getvalue()


def _caches(folder: Path) -> list[Reader]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 5), dtype=np.uint8)
    pictures = PictureArrays(images, [f"noise/{i}" for i in range(7)], [0] * 7, ["a"])

    def transform(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)

    backbone = Backbone("small", module, 4, transform, "random", "f", None)

    def features() -> Any:
        made = cached_features(backbone, pictures, folder / "cache", workers=0, progress=False)
        return np.array(made)

    def arrays() -> Any:
        key, make = ["some"], lambda: {"heat": wanted}
        return cached_arrays(key, make, folder / "arrays")["heat"]

    wanted = features()
    arrays()
    Kept(folder / "kept").write("row", {"best": [0.25, 1e-3], "name": "x"})
    Kept(folder / "kept").write("tensor", {"w": torch.arange(5.0)})
    (cache,), (some,) = (list((folder / name).iterdir()) for name in ("cache", "arrays"))
    row, tensor = folder / "kept" / "row.json", folder / "kept" / "tensor.pt"

    def again(file: Path, make: Callable[[], Any]) -> Callable[[bytes], None]:
        def read(data: bytes) -> None:
            file.write_bytes(data)
            assert np.array_equal(make(), wanted)

        return read

    def part(file: Path, name: str, sound: Any) -> Callable[[bytes], None]:
        def read(data: bytes) -> None:
            file.write_bytes(data)
            found = Kept(folder / "kept").read(name)
            assert found is None or repr(found) == repr(sound)

        return read

    sound = {name: Kept(folder / "kept").read(name) for name in ("row", "tensor")}
    return [
        Reader("feature cache", [cache.read_bytes()], again(cache, features), ()),
        Reader("array cache", [some.read_bytes()], again(some, arrays), ()),
        Reader("kept part", [row.read_bytes()], part(row, "row", sound["row"]), ()),
        Reader("kept tensors", [tensor.read_bytes()],
               part(tensor, "tensor", sound["tensor"]), ()),
    ]  # fmt: skip


def _pictures(folder: Path) -> list[Reader]:
    plain = b"\0\0\x08\x03" + b"\0\0\0\2" + b"\0\0\0\4" * 2 + bytes(range(32))
    labels = b"\0\0\x08\x01" + b"\0\0\0\5" + bytes(range(5))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8))
    files = []
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"):
        sink = io.BytesIO()
        image.save(sink, kind)
        files.append(sink.getvalue())
    return [
        Reader("idx", [plain], lambda data: _read_idx(_file(folder, data), 3)),
        Reader("idx, labels", [labels], lambda data: _read_idx(_file(folder, data), 1)),
        Reader("idx, packed", [gzip.compress(plain)],
               lambda data: _read_idx(_file(folder, data, "input.gz"), 3)),
        # As large as Pillow takes them, 1.8e8 pixels, each three times four bytes on the way.
        Reader("picture", files, lambda data: read_rgb(_file(folder, data)), UNREADABLE, 2**31),
    ]  # fmt: skip
