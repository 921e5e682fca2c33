"""RecBole's SASRec beside ours: seconds of a training step on the same prefixes, for `epochs.py --recbole`.

    pip install recbole==1.2.1 pandas tensorboard     (--no-deps beside a recent torch: its own pins are older)

Only model, loss and Adam are RecBole's. Its data loading is left out, and so is autograd's anomaly detection, which
importing its sequential models switches on for the whole process. What is RecBole's way stays: every prefix is padded
to the full history length, and attention is written out.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import torch

from seqrec_edu.data.batches import EventStore, prefix_targets
from seqrec_edu.training.run import Plan

NAME = "RecBole 1.2.1"
REMOVED = {"float_": np.float64, "complex_": np.complex128, "unicode_": np.str_, "bool8": np.bool_, "object0": object}


def load_sasrec() -> type:
    """RecBole's class; names that newer NumPy no longer has are given back to it first."""
    for name, kind in REMOVED.items():
        if not hasattr(np, name):
            setattr(np, name, kind)
    from recbole.model.sequential_recommender.sasrec import SASRec

    torch.autograd.set_detect_anomaly(False)
    return SASRec


def seconds_of_epoch(plan: Plan, seed: int, steps: int = 4) -> float:
    """Processor seconds of an epoch of prefixes, from a few steps after one to warm up."""
    model_settings, training = plan.record.model, plan.record.training
    length, size = training["history_length"], training["batch_size"]
    torch.manual_seed(seed)
    model = load_sasrec()(_config(model_settings, length), SimpleNamespace(num=lambda _: model_settings["n_items"] + 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=training["learning_rate"])
    start, stop, _ = prefix_targets(plan.split, "train", length)
    store = EventStore(plan.split.histories, torch.device("cpu"))
    order = np.random.default_rng(seed).permutation(len(start))
    spent = []
    for step in range(steps + 1):
        rows = order[step * size : (step + 1) * size]
        batch = store.gather(start[rows], stop[rows], target=stop[rows])
        items = torch.nn.functional.pad(batch.item, (0, length - batch.item.shape[1]))
        began = time.process_time()
        optimizer.zero_grad()
        model.calculate_loss({"item_id_list": items, "item_length": batch.length, "item_id": batch.target}).backward()
        optimizer.step()
        spent.append(time.process_time() - began)
    return float(np.mean(spent[1:])) * len(start) / size


def _config(model: dict, length: int) -> dict:
    """RecBole's settings for a model of the size of ours."""
    return {
        "USER_ID_FIELD": "user_id", "ITEM_ID_FIELD": "item_id", "LIST_SUFFIX": "_list", "NEG_PREFIX": "neg_",
        "ITEM_LIST_LENGTH_FIELD": "item_length", "MAX_ITEM_LIST_LENGTH": length, "device": torch.device("cpu"),
        "n_layers": model["n_layers"], "n_heads": model["heads"], "hidden_size": model["d_model"],
        "inner_size": 4 * model["d_model"], "hidden_dropout_prob": model["dropout"],
        "attn_dropout_prob": model["dropout"], "hidden_act": "gelu", "layer_norm_eps": 1e-12,
        "initializer_range": 0.02, "loss_type": "CE",
    }  # fmt: skip
