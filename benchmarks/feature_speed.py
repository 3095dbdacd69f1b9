"""What do features cost? CPU seconds of `extract` beside those of plain inference, in one run.

``python -m benchmarks.feature_speed --data DIR [--weights FILE]`` passes the first test photographs
through the backbone by :func:`occamhead.vision.extract` and by plain batches of 64 and of 32, in
turn, each in a process of its own and on one core, and prints the seconds (user + system) with the
ratios.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import resource
import statistics
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from occamhead.vision import Backbone, Pictures, extract, load_backbone, photograph_splits
from occamhead.vision.pictures import PictureTensors

PLAIN = {"plain 64": 64, "plain 32": 32}  # pictures in a batch
WAYS = {"extract": 0, **PLAIN}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--weights")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(args.rounds):
        features = {}
        for way, batch in WAYS.items():
            alone = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=alone) as process:
                user, system, features[way] = process.submit(cost, batch, args).result()
            seconds[way].append(user + system)
            print(f"{way}: {user:.2f} s user, {system:.2f} s system", flush=True)
        for way in PLAIN:
            apart = np.abs(features["extract"] - features[way]).max()
            print(f"  extract differs from {way} by {apart:g} at most")
    for way in PLAIN:
        pairs = zip(seconds["extract"], seconds[way], strict=True)
        ratio = statistics.median(ours / plain for ours, plain in pairs)
        print(f"{args.backbone}, {args.pictures} photographs: median ratio to {way} {ratio:.2f}")


def cost(batch: int, args: argparse.Namespace) -> tuple[float, float, NDArray[np.float32]]:
    """User and system seconds of the features in this process, decoding included; and they."""
    torch.set_num_threads(1)
    backbone = load_backbone(args.backbone, args.weights)
    splits, _ = photograph_splits(args.data)
    pictures = splits.test.subset(range(min(args.pictures, len(splits.test))))
    way = functools.partial(plain, batch=batch) if batch else extract_alone
    before = resource.getrusage(resource.RUSAGE_SELF)
    features = way(backbone, pictures)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, features


def extract_alone(backbone: Backbone, pictures: Pictures) -> NDArray[np.float32]:
    return extract(backbone, pictures, workers=0, progress=False)


def plain(backbone: Backbone, pictures: Pictures, batch: int) -> NDArray[np.float32]:
    """What one would write down at first."""
    tensors = PictureTensors(pictures, backbone.transform)
    loader = torch.utils.data.DataLoader(tensors, batch_size=batch)
    with torch.inference_mode():
        return torch.cat([backbone.module(images) for images, _ in loader]).numpy()


if __name__ == "__main__":
    main()
