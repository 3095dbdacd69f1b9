"""A path whose process was killed goes on from its folder, and ends as one that was not."""

from __future__ import annotations

import pytest

from occamhead.rows.allotted import Growth
from occamhead.saving import WrongRun
from occamhead.search import evolution
from occamhead.training import blocks as blocks_module
from occamhead.training import kept_training
from tests.saving.dying import die_in_each, killed, noted
from tests.training.kept_paths import CASES, blocks, everything, sums

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]
PATHS = "tests.training.kept_paths"


@pytest.mark.slow
def test_a_killed_path_goes_on_and_ends_as_if_it_had_not_been(tmp_path):
    undisturbed = everything(blocks(None))
    die_in_each(blocks, tmp_path, [4])
    (held_out,) = (tmp_path / "4").glob("rows-held-out*")
    assert len(list(held_out.iterdir())) == 3  # all features, then two sizes of three
    assert everything(blocks(tmp_path / "4")) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_whenever_it_was_killed(case, tmp_path, monkeypatch):
    monkeypatch.setattr(evolution, "KEEP_EVERY", 0.0)
    monkeypatch.setattr(kept_training, "KEEP_EVERY", 1e-6)
    undisturbed = everything(CASES[case](None))
    with monkeypatch.context() as patch:
        written = noted(patch.setattr)
        assert everything(CASES[case](tmp_path / "whole")) == undisturbed
    # After each part; of those of one training or search, every ninth.
    alike = {name: [k for k, each in enumerate(written, 1) if each == name] for name in written}
    moments = sorted(k for places in alike.values() for k in places[:: 1 + 8 * (len(places) > 9)])
    assert len(moments) >= 3, written
    killed(PATHS, case, tmp_path, *moments)
    for number in moments:
        assert everything(CASES[case](tmp_path / str(number))) == undisturbed, number


def test_a_path_that_had_ended_is_not_trained_again(tmp_path, monkeypatch):
    first = everything(blocks(tmp_path))
    monkeypatch.setattr(blocks_module, "_train", lambda *_, **__: 1 / 0)
    assert everything(blocks(tmp_path)) == first


@pytest.mark.slow
def test_budgets_that_ctrl_c_left_out_are_fitted_when_the_path_goes_on(tmp_path, monkeypatch):
    undisturbed = everything(CASES["per class"](None))
    more, count = Growth._with_more, [0]

    def once_stopped(self, now, number):
        count[0] += 1
        if count[0] == 9:
            raise KeyboardInterrupt
        return more(self, now, number)

    monkeypatch.setattr(Growth, "_with_more", once_stopped)
    with pytest.warns(UserWarning, match="interrupted; of 3 budgets"):
        assert len(list(CASES["per class"](tmp_path))) < 3
    assert everything(CASES["per class"](tmp_path)) == undisturbed


def test_another_path_in_its_folder_is_refused(tmp_path):
    sums(tmp_path)
    for settings, said in [
        ({"seed": 1}, "rows"), ({"budgets": (1, 2)}, r"sizes .*1, 2, 4.*1, 2"),
        ({"classes": 2}, "rows"), ({"class_weight": "balanced"}, "rows"), ({"nodes": 2}, "nodes"),
    ]:  # fmt: skip
        with pytest.raises(WrongRun, match=rf"holds an unfinished run with .*{said}"):
            sums(tmp_path, **settings)
