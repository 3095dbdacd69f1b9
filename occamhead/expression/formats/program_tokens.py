"""How long a printed program is."""

from __future__ import annotations

import io
import re
import tokenize

_SIGNATURE = re.compile(r"\s+\w+(, \w+)+ = x(\[\d*:\d*\])?")


def body_tokens(source: str) -> int:
    """How long a program is: Python's own tokens below the docstring.

    Names, numbers, operators and brackets of every statement count, ``return`` too; line ends and
    indents do not, nor does the line that unpacks x into named inputs: it is the signature.
    """
    body = source.split('"""\n', 1)[1]
    lines = [line for line in body.splitlines() if not _SIGNATURE.fullmatch(line)]
    words = tokenize.generate_tokens(io.StringIO("if True:\n" + "\n".join(lines) + "\n").readline)
    counted = {tokenize.NAME, tokenize.NUMBER, tokenize.OP, tokenize.STRING}
    return sum(word.type in counted for word in words) - len(("if", "True", ":"))
