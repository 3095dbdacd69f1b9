"""``python -m occamhead fit --config configs/NAME.yaml``: LightningCLI over OccamModule."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import LightningCLI

from occamhead.training.module import OccamModule


class OccamCLI(LightningCLI):
    """LightningCLI that prints the formulas after fitting."""

    def after_fit(self) -> None:
        module: Any = self.model
        if self.trainer.is_global_zero:
            for number, text in enumerate(module.head.eval().formula().text()):
                print(f"y{number} = {text}")


def main(args: Any = None, module: type[LightningModule] = OccamModule) -> OccamCLI:
    """Run the command line of a module with a head; `args` replaces sys.argv in tests."""
    return OccamCLI(
        module,
        LightningDataModule,
        subclass_mode_data=True,
        trainer_class=Trainer,
        seed_everything_default=0,
        args=args,
    )


if __name__ == "__main__":
    main()
