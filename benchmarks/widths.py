"""Mamba-1 against SSD as the model gets wider: one recommender, its layer exchanged, the same state budget.

The table that notebook 05 trains, with the widths and seeds that a notebook has no time for, and one control: SSD with
heads of width 1, a decay for every channel. Everything else is the same for both: embedding, feed-forward, data, order
of batches, learning rate.

    python benchmarks/widths.py        about ten minutes of one core; writes benchmarks/results/widths.json
"""

import json
import os
import time
from pathlib import Path

import torch
from torch import nn

from seqrec_edu.bench import surroundings
from seqrec_edu.data import leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.layers import MambaConfig, MambaLayer, SSDConfig, SSDLayer
from seqrec_edu.models import build
from seqrec_edu.training import FitSettings, evaluate, fit
from seqrec_edu.training.metrics import paired_difference

WIDTHS, SEEDS, USERS = (8, 16, 32, 64, 128, 256), (0, 1, 2), 600
TRAINING = FitSettings(history_length=50, epochs=6, batch_size=1024, learning_rate=1e-2, validate_every=6, patience=99)
KINDS = {"Mamba-1": None, "SSD": 16, "SSD, heads of width 1": 1}
OUT = Path(__file__).parent / "results" / "widths.json"


def layer(kind: str, d: int) -> nn.Module:
    """The layer of this kind at width d; 32·d numbers of state in each."""
    p = KINDS[kind]
    return MambaLayer(MambaConfig(d, d_state=16)) if p is None else SSDLayer(SSDConfig(d, d_state=16, head_dim=p))


def recommender(kind: str, d: int, seed: int, n_items: int) -> nn.Module:
    """Mamba4Rec of width d, with the layer of this kind."""
    model = build("mamba4rec", n_items=n_items, d_model=d, d_state=16, dropout=0.1, seed=seed)
    if kind != "Mamba-1":
        torch.manual_seed(seed)
        model.mambas = nn.ModuleList([layer(kind, d)])
    return model


def main() -> None:
    """Train and rank all of them, and store what came out after every width."""
    torch.set_num_threads(1)
    split = leave_one_out(shoppers(users=USERS, seed=0))
    rows = []
    for d in WIDTHS:
        ranks = {}
        for kind in KINDS:
            if KINDS[kind] == 1 and d > 8:
                continue  # a control of the width where the two differ most
            runs, begun = [], time.process_time()
            for seed in SEEDS:
                model = recommender(kind, d, seed, split.histories.n_items)
                fit(model, split, TRAINING, device="cpu")
                runs.append(evaluate(model, split, "test", history_length=50, cutoffs=(10,)))
            ranks[kind] = torch.cat([run.ranks for run in runs])
            row = {"kind": kind, "d": d, "parameters": sum(each.numel() for each in layer(kind, d).parameters())}
            row["HR@10"] = [run.metrics["HR@10"] for run in runs]
            row["processor seconds of a run"] = (time.process_time() - begun) / len(SEEDS)
            if kind != "Mamba-1":
                people = torch.arange(len(split.test)).repeat(len(SEEDS))
                apart = paired_difference(ranks[kind], ranks["Mamba-1"], people, cutoffs=(10,))["HR@10"]
                row["minus Mamba-1"] = [apart.value, apart.low, apart.high]
            rows.append(row)
            print(row, flush=True)
        store(rows)


def store(rows: list[dict]) -> None:
    """Write by way of a temporary name."""
    found = {"users": USERS, "seeds": SEEDS, "epochs": TRAINING.epochs, "facts": surroundings.facts(), "rows": rows}
    temporary = OUT.with_suffix(".part")
    temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, OUT)


if __name__ == "__main__":
    main()
