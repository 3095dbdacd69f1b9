"""Programs as they were printed, run."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def defined_by(source: str) -> dict[str, Any]:
    """What printed source defines: what a command has just written, not what it was given."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "program.py"
        file.write_text(source)
        spec = spec_from_file_location("program", file)
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return vars(module)
