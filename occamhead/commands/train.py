"""``occamhead train fit --config configs/NAME.yaml``: LightningCLI over modules with a head.

A configuration whose `model` names no class is one of :class:`OccamModule`, that is of backprop;
``class_path: occamhead.training.evolution_module.EvolutionModule`` searches by evolution instead.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from occamhead.checks import needs

with needs("jsonargparse", "LightningCLI", "cli"):
    import jsonargparse  # noqa: F401

from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

from occamhead.commands.output import say
from occamhead.saving import Stopped
from occamhead.training.checkpoints import check_checkpoint
from occamhead.training.module import OccamModule
from occamhead.training.on_stop import SaveOnStop


class OccamCLI(LightningCLI):
    """LightningCLI that prints the formulas after fitting."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.set_defaults({"model": f"{OccamModule.__module__}.{OccamModule.__qualname__}"})

    def _parse_ckpt_path(self) -> None:
        # Lightning imports the classes that the arguments in a checkpoint name.
        chosen = self.config.get(str(self.config.get("subcommand"))) or {}
        file = chosen.get("ckpt_path")
        if file and Path(file).is_file():
            check_checkpoint(file)
        super()._parse_ckpt_path()

    def after_fit(self) -> None:
        module: Any = self.model
        if self.trainer.is_global_zero:
            head = module.head.eval()
            print("\n".join(head.formula().rule(head.classes or ())))


def run(args: argparse.Namespace) -> None:
    """Hand the words that follow ``occamhead train`` to Lightning."""
    sys.argv = ["occamhead train", *args.rest]
    main()


def main(args: Any = None) -> OccamCLI:
    """Run Lightning's command line; `args` replaces sys.argv in tests.

    Raises:
        SystemExit: If the system stops it, with the status of the signal; what was trained is in a
            checkpoint then, from which ``--ckpt_path`` goes on.
    """
    saver = SaveOnStop()
    try:
        with saver.listening():
            return OccamCLI(
                LightningModule,
                LightningDataModule,
                subclass_mode_model=True,
                subclass_mode_data=True,
                trainer_class=Trainer,
                trainer_defaults={"callbacks": [saver]},
                seed_everything_default=0,
                args=args,
            )
    except Stopped as stop:
        say(f"not finished: {stop}; go on with --ckpt_path {saver.file}")
        raise SystemExit(stop.status) from None
