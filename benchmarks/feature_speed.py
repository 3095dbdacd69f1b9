"""Does extracting features cost more than the bare backbone? The ratio of wall times in one run.

``python -m benchmarks.feature_speed --data DIR [--weights FILE]`` passes the test photographs
through the backbone, decoded beforehand, then through :func:`occamhead.vision.extract`.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from occamhead.vision import extract, load_backbone, photograph_splits
from occamhead.vision.pictures import PictureTensors

ROUNDS, BATCH = 3, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--weights")
    args = parser.parse_args()
    torch.set_num_threads(1)
    backbone = load_backbone(args.backbone, args.weights)
    splits, source = photograph_splits(args.data)
    tensors = PictureTensors(splits.test, backbone.transform)
    batches = torch.stack([tensors[i][0] for i in range(len(tensors))]).split(BATCH)
    ratios = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with torch.inference_mode():
            for batch in batches:
                backbone.module(batch)
        bare = time.perf_counter() - start
        start = time.perf_counter()
        extract(backbone, splits.test, batch_size=BATCH, progress=False)
        ratios.append((time.perf_counter() - start) / bare)
        print(f"bare {bare:.2f} s, extract {bare * ratios[-1]:.2f} s, ratio {ratios[-1]:.2f}")
    print(f"{backbone.name} on {source}: median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
