"""``python -m occamhead.search fit --config configs/NAME.yaml``: evolution in place of backprop."""

from __future__ import annotations

from occamhead.__main__ import main
from occamhead.training.evolution_module import EvolutionModule

if __name__ == "__main__":
    main(module=EvolutionModule)
