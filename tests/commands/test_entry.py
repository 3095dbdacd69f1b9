"""The console command: its help, its errors of one line, its exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest

import occamhead
from occamhead.commands.entry import main
from occamhead.commands.parser import COMMANDS, for_lightning


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_a_screen(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*filter(None, [command]), "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert lines[0].startswith(f"usage: occamhead {command or 'COMMAND'}")
    assert any(line.startswith("example: occamhead ") for line in lines)


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"occamhead {occamhead.__version__}\n"


@pytest.mark.parametrize("text", ["--help", "--version", "photos --help", "train -h"])
def test_help_loads_nothing_heavy(text):
    code = "import sys\nfrom occamhead.commands.entry import main\ntry:\n    main(sys.argv[1:])\n"
    code += "finally:\n    print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    command = [sys.executable, "-c", code, *text.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout
    heavy = {"torch", "numpy", "numba", "sklearn", "pytorch_lightning", "jsonargparse", "PIL"}
    assert not heavy & set(done.stderr.split())


@pytest.mark.parametrize(
    "words, said",
    [
        (["fotos"], "no command 'fotos'; did you mean photos?"),
        (["zebra"], "no command 'zebra'; there are photos"),
        (["train"], "occamhead train: the following arguments are required: (fit | ...)"),
        (["photos"], "occamhead photos: the following arguments are required: FOLDER"),
        (["photos", "x", "--max-features", "0"], "--max-features: must be at least 1, got 0"),
        (["photos", "x", "--max-featurs", "2"], "unrecognized arguments: --max-featurs"),
    ],
)
def test_a_command_that_cannot_be_read_ends_with_2_and_a_line(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line and "--help" in line


def test_without_a_command_the_help_is_said(capsys):
    assert main([]) == 2
    assert "photos" in capsys.readouterr().out


def test_lightning_is_asked_with_and_without_train():
    flags = ["fit", "--config", "a.yaml"]
    assert for_lightning(["train", *flags]) == for_lightning(flags) == flags
    assert for_lightning(["--config", "a.yaml", "fit"]) == ["--config", "a.yaml", "fit"]
    assert for_lightning(["train"]) is None
    assert for_lightning(["photos", "test"]) is None


def test_python_dash_m_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "occamhead", "photos", "no-such-folder"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("occamhead photos: no-such-folder: no such folder; name one that")
