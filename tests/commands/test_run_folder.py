"""The folder of a run: whole or not there, resumed after a stop, one run at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace

import pytest

from occamhead.commands.results import results_run
from occamhead.saving import WrongRun

# Six parts that are slow, each of which leaves a line; to be killed in the middle.
SLOW = """
import sys, time
from argparse import Namespace
from pathlib import Path
from occamhead.commands.results import results_run

out, resume, seed = Path(sys.argv[1]), "--resume" in sys.argv, sys.argv[2]
def part(i):
    print("part", i, flush=True)
    time.sleep(0.15)
    return {"i": i, "value": i / 7}
with results_run(Namespace(out=out, overwrite=False, resume=resume, seed=seed), "slow") as run:
    rows = []
    for i in range(6):
        rows.append(run.once(str(i), lambda: part(i)))
        run.save({"rows": rows})
    run.finish({"rows": rows})
"""


def asked(out, **flags):
    return Namespace(**{"out": out, "overwrite": False, "resume": False, **flags})


def start(out, *words):
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, str(out), *words], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def rows_of(out):
    return json.loads((out / "results.json").read_text())["rows"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    process = start(out, "0")
    process.communicate()
    assert process.returncode == 0
    return rows_of(out)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on_and_ends_the_same(tmp_path, whole, number):
    out, done = tmp_path / "out", []
    process = start(out, "0")
    while len(done) < 3:
        done.append(process.stdout.readline())
    process.send_signal(number)
    told, _ = process.communicate()
    assert process.returncode not in (0, None) and not out.exists()
    if number in (signal.SIGTERM, signal.SIGUSR1):
        assert process.returncode == 128 + number
    if number != signal.SIGKILL:
        assert f"go on by the same command with --out {out} --resume" in told

    # Not resumed by chance: what was done might be lost.
    refused = start(out, "0")
    assert "--resume" in refused.communicate()[1] and refused.returncode == 1
    # And not by a run of something else.
    other = start(out, "1", "--resume")
    assert "seed '0', and this one has '1'" in other.communicate()[1]

    again = start(out, "0", "--resume")
    told, _ = again.communicate()
    assert again.returncode == 0 and rows_of(out) == whole
    # The first two were done for sure, and not again.
    assert "part 0" not in told and "part 1" not in told and f"results in {out}" in told
    assert sorted(os.listdir(out)) == ["results.json"] and os.listdir(tmp_path) == ["out"]


def test_of_two_runs_into_one_folder_the_second_is_refused(tmp_path, whole):
    first = start(tmp_path / "out", "0")
    first.stdout.readline()
    second = start(tmp_path / "out", "0")
    assert "another run is writing to" in second.communicate()[1] and second.returncode == 1
    first.communicate()
    assert first.returncode == 0 and rows_of(tmp_path / "out") == whole


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="out"), results_run(asked(tmp_path / "out"), "x"):
        raise AssertionError("work began")
    tmp_path.chmod(0o700)


def test_a_file_in_the_way_is_refused_at_once(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OSError, match="out"), results_run(asked(tmp_path / "out" / "in"), "x"):
        raise AssertionError("work began")


def test_nothing_is_left_of_a_run_that_did_nothing(tmp_path):
    with pytest.raises(ValueError, match="bad data"), results_run(asked(tmp_path / "out"), "x"):
        raise ValueError("bad data")
    assert not os.listdir(tmp_path)


def test_a_run_over_old_results_leaves_them_whole_until_it_ends(tmp_path):
    out = tmp_path / "out"
    with results_run(asked(out), "x") as run:
        run.save({"run": 1})
        (run.folder / "report.html").write_text("one")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(RuntimeError), results_run(asked(out, overwrite=True), "x") as run:
        run.save({"run": 2})
        raise RuntimeError
    assert json.loads((out / "results.json").read_text())["run"] == 1
    with results_run(asked(out, overwrite=True), "x") as run:
        run.save({"run": 3})
    assert json.loads((out / "results.json").read_text())["run"] == 3
    assert sorted(os.listdir(out)) == ["notes.txt", "results.json"]


def test_to_resume_needs_the_folder_and_the_same_flags(tmp_path):
    with pytest.raises(ValueError, match="--out"), results_run(asked(None, resume=True), "x"):
        pass
    with pytest.raises(KeyError), results_run(asked(tmp_path / "out", rows=3), "x") as run:
        run.once("a", lambda: 1)
        raise KeyError
    again = asked(tmp_path / "out", rows=4, resume=True)
    with pytest.raises(WrongRun, match="rows"), results_run(again, "x"):
        pass


def test_a_lock_dies_with_its_process(tmp_path):
    process = start(tmp_path / "out", "0")
    process.stdout.readline()
    process.kill()
    process.communicate()
    began = time.monotonic()
    with results_run(asked(tmp_path / "out", resume=True, seed="0"), "slow") as run:
        run.finish({"rows": []})
    assert time.monotonic() - began < 5
