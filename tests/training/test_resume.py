"""Training that was stopped goes on from any checkpoint as if it had not been."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from occamhead.rows.arrays import ArrayData
from occamhead.rows.batches import Batches, Order
from occamhead.training.module import OccamModule

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*in eval mode at the start"),
    # The resumed runs write elsewhere, so as to leave the checkpoints of the whole one.
    pytest.mark.filterwarnings("ignore:The dirpath has changed"),
]

ROWS, BATCH, EPOCHS = 90, 16, 4
STEPS = EPOCHS * -(-ROWS // BATCH)


def data():
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 6)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] + 0.3 * random.normal(size=ROWS) > 0).astype(np.int64)
    return ArrayData((x, y), (x, y), (x, y), batch_size=BATCH)


def module(**settings):
    torch.manual_seed(1)
    return OccamModule(
        6, 2, head={"bases": ["affine3"]}, restarts=2, learning_rate=0.05, **settings
    )


def trained(folder, resume=None, seed=7, **options):
    """The module after all epochs, a checkpoint every second step and after each validation."""
    pl.seed_everything(seed, verbose=False)
    saves = ModelCheckpoint(folder / "steps", every_n_train_steps=2, save_top_k=-1)
    ends = ModelCheckpoint(folder / "epochs", every_n_epochs=1, save_top_k=-1)
    trainer = pl.Trainer(
        max_epochs=EPOCHS, logger=False, enable_progress_bar=False, enable_model_summary=False,
        accelerator="cpu", log_every_n_steps=1,
        callbacks=[saves, ends, EarlyStopping("val_formula_loss", patience=50)], **options,
    )  # fmt: skip
    made = module()
    trainer.fit(made, datamodule=data(), ckpt_path=resume)
    assert trainer.global_step == STEPS
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return trained(folder), sorted(folder.glob("*/*.ckpt"))


def test_there_are_checkpoints_in_the_middle_of_epochs_and_at_their_ends(whole):
    assert len(whole[1]) == STEPS // 2 + EPOCHS


@pytest.mark.slow
@pytest.mark.parametrize("number", range(STEPS // 2 + EPOCHS))
def test_every_checkpoint_leads_to_the_same_weights_and_text(whole, tmp_path, number):
    other = trained(tmp_path, resume=whole[1][number], seed=99)
    for name, tensor in whole[0].state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), (name, whole[1][number].name)
    assert whole[0].head.eval().formula().text() == other.head.eval().formula().text()


def test_a_checkpoint_read_for_its_weights_leaves_the_generator_alone(whole):
    before = torch.get_rng_state()
    OccamModule.load_from_checkpoint(whole[1][0], weights_only=True)
    # It draws initial weights, by the generator as it is.
    after = torch.get_rng_state()
    torch.set_rng_state(before)
    OccamModule(6, 2, head={"bases": ["affine3"]}, restarts=2, learning_rate=0.05)
    assert torch.equal(torch.get_rng_state(), after)


def test_the_order_of_batches_is_that_of_torch():
    rows = torch.arange(50)
    torch.manual_seed(3)
    theirs = [b.tolist() for b in torch.utils.data.DataLoader(rows, 8, shuffle=True)]
    then = torch.rand(1)
    torch.manual_seed(3)
    assert [b.tolist() for b in Batches(rows, 8, sampler=Order(50, True))] == theirs
    assert torch.equal(torch.rand(1), then)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("passed", [0, 1, 3, 6])
def test_a_loader_goes_on_where_it_was(passed, workers):
    def loader():
        return Batches(torch.arange(50), 8, sampler=Order(50, True), num_workers=workers)

    torch.manual_seed(3)
    first = loader()
    batches = iter(first)
    seen = [next(batches).tolist() for _ in range(passed)]
    state, generator = first.state_dict(), torch.get_rng_state()
    rest = [batch.tolist() for batch in batches]
    assert sorted(row for batch in seen + rest for row in batch) == list(range(50))

    torch.manual_seed(4)
    second = loader()
    second.load_state_dict(state)
    torch.set_rng_state(generator)
    again = [batch.tolist() for batch in second]
    if passed:
        assert again == rest and torch.equal(torch.get_rng_state(), generator)
    # The epoch after it is a new one.
    assert [batch.tolist() for batch in second] != again
