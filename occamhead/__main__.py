"""``python -m occamhead``: the same as the console command ``occamhead``."""

from __future__ import annotations

import sys

from occamhead.commands.entry import main

if __name__ == "__main__":
    sys.exit(main())
