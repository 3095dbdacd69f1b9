"""Small networks of several shapes, with their tables and some routes."""

from __future__ import annotations

import numpy as np
import torch

from occamhead import OccamNet
from occamhead.search.judging.sampling import draw_routes, softmax_tables
from occamhead.search.judging.wiring import wire
from occamhead.search.logits import read_logits

NETS = {
    "plain": lambda: OccamNet(2, 1, ["add", "mul", "sin"], 3, constants=[1.0], noise=1.0),
    "T_last": lambda: OccamNet(1, 1, ["add", "mul"], 3, noise=1.0, last_temperature=10.0),
    "no skip": lambda: OccamNet(2, 2, ["mul", "neg"], 2, skip=False, noise=1.0, temperature=0.5),
    "groups": lambda: OccamNet(2, 4, ["mul", "add"], 2, groups=2, noise=1.0),
    "layers": lambda: OccamNet(2, 3, [["if_le"], ["add4", "neg"]], noise=1.0),
}


def prepare(name: str, count: int = 12):
    """A network in float64, its tables, and some routes."""
    torch.manual_seed(0)
    network = NETS[name]().double()
    wiring, _ = wire(network.layout, network.groups)
    logits, temperatures = read_logits(network)
    log_probs, cumulative = np.zeros((2, *logits.shape))
    softmax_tables(logits, temperatures, wiring.num_sources, log_probs, cumulative)
    choices = np.empty((count, len(wiring.num_sources)), np.int32)
    draw_routes(wiring, cumulative, np.uint64(5), np.zeros(count, np.bool_), choices)
    return network, wiring, temperatures, log_probs, choices
