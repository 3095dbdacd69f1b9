"""The console command: which one it is, and how it ends."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module

from occamhead.commands.output import visible
from occamhead.commands.parser import USAGE, build_parser, for_lightning

FAILED, STOPPED = 1, 130
LESS = "take fewer rows, a smaller batch, or a machine with more"


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``occamhead`` with these words, by default those of the shell.

    Returns:
        The exit code: 0; 1 if the data cannot be used, which one line on stderr explains; 130 if
        it was stopped from the keyboard. A command that cannot be read ends by SystemExit with 2.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    rest = for_lightning(words)
    args = parser.parse_args(words) if rest is None else Namespace(command="train", rest=rest)
    if args.command is None:
        parser.print_help()
        return USAGE
    try:
        import_module(f"occamhead.commands.{args.command}").run(args)
    except KeyboardInterrupt:
        return _end(args.command, "stopped", STOPPED)
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_out_of_memory(error):
            raise
        # Lightning's errors are its own.
        lightning = args.command == "train" and not isinstance(error, ImportError)
        if lightning or getattr(args, "traceback", False):
            raise
        return _end(args.command, _line(error), FAILED)
    return 0


def _end(command: str, text: str, code: int) -> int:
    print(visible(f"occamhead {command}: {text}"), file=sys.stderr)
    return code


def _line(error: Exception) -> str:
    """One line that says what is wrong; the operating system's words come after the file's name."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        remedy = "; choose another --out" if isinstance(error, PermissionError) else ""
        return f"{error.filename}: {error.strerror.lower()}{remedy}"
    text = " ".join(str(error).split()) or type(error).__name__
    if _is_out_of_memory(error) and not text.startswith("out of memory"):
        text = f"out of memory; {LESS}: {text}"
    return text


def _is_out_of_memory(error: Exception) -> bool:
    # Here, since it loads torch, which help must not wait for.
    from occamhead.checks import is_out_of_memory

    return is_out_of_memory(error)
