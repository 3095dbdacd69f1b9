"""What is compiled is announced, and is no part of a search's time."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from numba.core.event import Event, EventStatus

from occamhead import OccamNet, Strategy, evolve
from occamhead.search import Progress
from occamhead.search.compiling import _CLOCK, TEXT, _Announcer, _Clock
from occamhead.search.learner import Learner


@contextmanager
def compiled(listener, function, kind="numba:compile"):
    """As numba tells of a function that it compiles."""
    data = {"dispatcher": SimpleNamespace(py_func=function)}
    listener.notify(Event(kind, EventStatus.START, data=data))
    yield
    listener.notify(Event(kind, EventStatus.END, data=data))


def burn(seconds: float) -> None:
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


def test_compiling_is_announced_once(caplog):
    announcer = _Announcer()
    for _ in range(2):
        with compiled(announcer, Learner.draw), compiled(announcer, np.mean):
            pass
    assert [record.getMessage() for record in caplog.records] == [TEXT]


def test_what_others_compile_is_not_announced(caplog):
    announcer = _Announcer()
    with compiled(announcer, burn), compiled(announcer, Learner.draw):
        pass
    assert not caplog.records


def test_who_silences_the_log_sees_no_bar_either(caplog, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with caplog.at_level(logging.ERROR, "occamhead"), compiled(_Announcer(), Learner.draw):
        pass
    assert not caplog.records and not capsys.readouterr().err
    with compiled(_Announcer(), Learner.draw):
        pass
    assert "compiling: " in capsys.readouterr().err


def test_the_clock_counts_what_is_compiled_on_the_way_once():
    clock, kind = _Clock(), "numba:compiler_lock"
    began = time.thread_time()
    with compiled(clock, burn, kind):
        burn(0.02)
        with compiled(clock, burn, kind):
            burn(0.02)
    assert 0.04 <= clock.compiling <= time.thread_time() - began
    kept = clock.compiling
    burn(0.01)
    assert clock.compiling == kept


def test_a_budget_is_that_of_the_search():
    """What is compiled in the middle of a search, for longer than its budget, does not end it."""
    network = OccamNet(1, 1, "table1/1", depth=2)
    x = np.random.default_rng(0).uniform(-10, 10, (50, 1))

    def compile_once(progress: Progress) -> None:
        if progress.step == 1:
            with compiled(_CLOCK, burn, "numba:compiler_lock"):
                burn(0.6)

    strategy = Strategy(time_budget=0.3, max_functions=None, patience=10**6, restarts=0)
    found = evolve(network, x, np.sin(37 * x), strategy, callback=compile_once)
    assert found.reason.startswith("used 0.3 s of CPU time")
    assert found.steps > 1


CODE = """
import sys, time, numpy as np
from occamhead import OccamRegressor
g = np.random.default_rng(0)
x = g.uniform(1, 5, (200, 2))
y = 3 * x[:, 0] / x[:, 1] + 0.02 * g.normal(size=200)
model = OccamRegressor(random_state=0, time_budget=5).fit(x, y)
print(model.best_, model.n_functions_ > 1000, model.result_.seconds < 5)
"""


@pytest.mark.slow
def test_the_first_search_on_a_machine_finds_what_the_second_does(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    for said in (f"{TEXT}\n", ""):
        done = subprocess.run(
            [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "3*x0/x1 True True\n"
        assert done.stderr == said
