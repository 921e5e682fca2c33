"""Runs of a few seconds on sixty shoppers, and receipts that nobody trained."""

import json
from dataclasses import replace

import numpy as np
import pytest

from seqrec_edu.data.split import leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.reproduce import Budget, Ranks, reproduce
from seqrec_edu.reproduce.ranks import question
from seqrec_edu.reproduce.variants import VARIANTS
from seqrec_edu.training.evaluate import Evaluation
from seqrec_edu.training.metrics import intervals, metrics
from seqrec_edu.training.receipts import make_receipt

QUICK = Budget(10, {"every-position": 1, "prefix": 1, "cloze": 1}, 0.2, model={"d_model": 16})
SETTINGS = {
    "tim4rec": {"n_items": 240, "d_model": 16, "n_layers": 1},
    "mamba4rec": {"n_items": 240, "d_model": 16},
    "sasrec": {"n_items": 240, "d_model": 16, "history_length": 10},
}


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """Each test in a folder of its own: nothing is found that it did not make."""
    for name in ("RANK", "WORLD_SIZE", "SEQREC_EDU_TRACEBACK", "SEQREC_EDU_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEQREC_EDU_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def quick(tmp_path):
    """`reproduce` with small runs: returns what it found and what it said."""

    def run(paper="tim4rec", only=("popularity", "sasrec"), seeds=(0,), **more):
        said = []
        options = {"out": tmp_path / "out", "budget": QUICK, "data_options": {"users": 60}, "device": "cpu"}
        done = reproduce(paper, "shoppers", seeds=seeds, only=only, say=said.append, **{**options, **more})
        return done, "\n".join(said)

    return run


@pytest.fixture(scope="session")
def split():
    return leave_one_out(shoppers(users=200))


@pytest.fixture
def keep(split, tmp_path):
    """Puts a made-up receipt with ranks where they are kept; `better` moves ranks up."""

    def put(variant, seed=0, better=0.0, data="shoppers", ranks=None, **changes):
        each, folder = VARIANTS[variant], tmp_path / "results" / data / variant
        n = len(split.test)
        draw = np.random.default_rng(seed if seed is not None else 99)
        # The same people are hard for every model; training adds something of its own.
        score = np.random.default_rng(7).normal(size=n) + 0.1 * draw.normal(size=n) + better
        ranks = np.clip(np.rint(np.exp(3.0 - score)), 1, 240) if ranks is None else ranks
        found = _evaluation(split, ranks)
        receipt = make_receipt(
            split, {"test": found}, model=each.model, settings=SETTINGS.get(each.model, {}), parameters=1000,
            objective=each.objective or "counts", config={"epochs": 3, "history_length": 10}, seed=seed,
            seconds={"fit": 10.0, "evaluate": 1.0}, best_epoch=2, epochs=3,
        )  # fmt: skip
        stem = "counts" if seed is None else f"seed-{seed}"
        path = replace(receipt, commit=None, **changes).write(folder / f"{stem}.json")
        Ranks(ranks, split.users_of(split.test), question(split)).write(path.with_suffix(".npz"))
        return path

    return put


def _evaluation(split, ranks):
    import torch

    ranks, users = torch.from_numpy(ranks), torch.from_numpy(split.users_of(split.test))
    return Evaluation(
        ranks, users, torch.from_numpy(split.test), metrics(ranks), intervals(ranks, users, resamples=50), "test",
        "unmasked", 10, len(users), split.histories.n_items, split.hash, 0.95, 50, 0, False,
    )  # fmt: skip


def document(path):
    return json.loads(path.read_text(encoding="utf-8"))
