"""What every method makes of boards of digits, as rows of results, and their table."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from occamhead.commands.output import say, say_table
from occamhead.distill import distill, source
from occamhead.essence import Circuit
from occamhead.expression.formats.program_tokens import body_tokens
from recipes.automata.digit_boards import Ints, digits, draw, trained
from recipes.automata.noisy_labels import choose
from recipes.automata.rules import LIFE, WINDOW
from recipes.shared.means import mean, share
from recipes.shared.printed import run

METHODS = {
    "essence": "the program's printed source, on bits",
    "mlp": "the MLP that was trained, on numbers",
    "mlp_table": "the MLP's truth table as a program, on bits",
}


def learn(samples: int, tests: int, steps: int, seed: int, out: Path) -> list[dict[str, Any]]:
    """One seed: a row per method; the two programs become files of `out`."""
    seen, unseen = digits()
    generator = np.random.default_rng([seed, samples])
    train, test = draw(seen, samples, generator), draw(unseen, tests, generator)

    started = time.process_time()
    model = trained(seen, train, steps, seed)
    training = time.process_time() - started
    bits, new_bits = model.bits(seen)[train.digits], model.bits(unseen)[test.digits]

    started = time.process_time()
    circuit, fit = choose(bits, train.labels)
    fitting = time.process_time() - started

    what = {"task": "digit_life", "seed": seed, "samples": samples}
    name = f"{samples}-{seed}.py"
    essence = by_program(circuit, out / f"essence-{name}", new_bits, test.labels)
    essence["seconds"] += fitting
    mlp_table = by_program(model.classes_of_bits, out / f"mlp_table-{name}", new_bits, test.labels)
    mlp = dict.fromkeys(("certificate", "program", "file", "tokens")) | {
        "exact": mlp_table["exact"],  # on bits, that is
        "reading": mlp_table["reading"],
        "seconds": training,
        "accuracy": float(np.mean(model.classes(unseen, test) == test.labels)),
    }
    return [
        {**what, "method": "essence", **essence, **fit},
        {**what, "method": "mlp", **mlp},
        {**what, "method": "mlp_table", **mlp_table},
    ]


def by_program(
    network: Circuit | Callable[[Ints], Ints], file: Path, bits: Ints, labels: Ints
) -> dict[str, Any]:
    """Distil a head, write the program's source to a file, and test that file on bits."""
    started = time.process_time()
    program, certificate = distill(network, WINDOW)
    text = source(program, WINDOW, certificate)
    seconds = time.process_time() - started
    file.write_text(text)
    meaning = reading(run(file, WINDOW.rows()))
    return {
        "exact": meaning is not None,
        "reading": meaning,
        "certificate": str(certificate),
        "program": text,
        "file": file.name,
        "tokens": body_tokens(text),
        "seconds": seconds,
        "accuracy": float(np.mean(run(file, bits) == labels)),
    }


def reading(classes: Ints) -> str | None:
    """How to read the bits of a rule, given its classes of all windows in order, to get Life.

    Returns:
        "alive" if the bits mean that, "dead" if they mean the opposite, None if it is not Life.
    """
    windows = WINDOW.rows()
    if (classes == LIFE.of_windows(windows)).all():
        return "alive"
    return "dead" if (classes == LIFE.of_windows(1 - windows)).all() else None


def say_methods(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of one number of boards, how far the program is ahead, and the first program."""
    own = {name: [row for row in rows if row["method"] == name] for name in METHODS}
    say(f"\n{own['essence'][0]['program']}")
    lines = []
    for name, found in own.items():
        accuracy = [row["accuracy"] for row in found]
        spread = f"{np.mean(accuracy):.4f}, {min(accuracy):.4f}-{max(accuracy):.4f}"
        size, seconds = mean(found, "tokens", ".1f"), mean(found, "seconds", ".1f")
        lines.append((name, share(found, "exact"), spread, size, seconds, METHODS[name]))
    boards = f"{rows[0]['samples']} boards"
    say_table((boards, "exact", "accuracy: mean, range", "tokens", "s", ""), lines, left=(0, 5))
    pairs = zip(own["essence"], own["mlp"], strict=True)
    ahead = np.array([100 * (ours["accuracy"] - theirs["accuracy"]) for ours, theirs in pairs])
    error = f" +- {ahead.std(ddof=1) / len(ahead) ** 0.5:.2f}" if len(ahead) > 1 else ""
    say(
        f"essence is ahead of mlp by {ahead.mean():+.2f}{error} percentage points, and at or above"
        f" it in {(ahead >= 0).sum()} of {len(ahead)} seeds\n"
    )
