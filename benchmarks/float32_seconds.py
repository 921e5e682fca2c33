"""What rounding timestamps to float32 does to a leaderboard: MovieLens 1M, three orders of the same events.

RecBole, on which most published numbers in this field stand, keeps timestamps as float32. Near the year 2000 a float32
moves in steps of 64 s, so events less than about a minute apart become ties, and a stable sort leaves ties in the order
of the source file. In MovieLens a person rates a page of films at a time, and the file's order is nearly the same for
everybody: what the rounding destroys is the order in which people did things, what it puts there instead can be
predicted.

The order of the file is not in a table sorted by time, but it shows within equal timestamps. Here each item gets a key
such that, as often as possible, of two items with one timestamp the one with the smaller key stands first
(Bradley-Terry on all such pairs). Three orders are compared:

    exact             int64 seconds, ties as they are
    ties-by-key       int64 seconds, ties by key: the control, what the key alone adds
    float32-by-key    float32 seconds, ties by key: an imitation of RecBole's order

    python benchmarks/float32_seconds.py                       counts only, a minute
    python benchmarks/float32_seconds.py --train mamba4rec     trains on each order, ten minutes an order
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch

from seqrec_edu.data import Histories, leave_one_out
from seqrec_edu.data.sources.load import load
from seqrec_edu.training.evaluate import evaluate
from seqrec_edu.training.run import train_run

METRICS = ("HR@10", "NDCG@10")


def owners(histories: Histories) -> np.ndarray:
    """The user of each event."""
    return np.repeat(np.arange(histories.n_users), np.diff(histories.offsets))


def file_key(histories: Histories, steps: int = 150) -> tuple[np.ndarray, float]:
    """A key per item that explains the order within ties, and the share of pairs it explains."""
    items, times, user = np.asarray(histories.items), np.asarray(histories.times), owners(histories)
    first, second = [], []
    for apart in (1, 2, 3, 5, 8):
        tied = (user[apart:] == user[:-apart]) & (times[apart:] == times[:-apart])
        first.append(items[:-apart][tied])
        second.append(items[apart:][tied])
    first, second = (torch.from_numpy(np.concatenate(each)).long() for each in (first, second))
    key = torch.zeros(histories.n_items + 1, requires_grad=True)
    optimizer = torch.optim.Adam([key], 0.3)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.softplus(key[first] - key[second]).mean().backward()
        optimizer.step()
    key = key.detach()
    return key.numpy(), float((key[first] < key[second]).float().mean())


def reordered(histories: Histories, times: np.ndarray, key: np.ndarray | None, name: str) -> Histories:
    """The same events sorted by user, these times, and the key of the item where times are equal."""
    items = np.asarray(histories.items)
    ties = np.arange(len(items)) if key is None else key[items]
    order = np.lexsort((ties, times, owners(histories)))
    return Histories(
        items=items[order], times=times[order], offsets=histories.offsets, item_ids=histories.item_ids,
        user_ids=histories.user_ids, name=name,
    )  # fmt: skip


def measured(histories: Histories, model: str, folder: Path, settings: dict) -> dict:
    """Test metrics of a model that counts or learns, and its NDCG@10 by the time since the event before."""
    run = train_run(model, histories, folder / f"{model}-{histories.name}", settings=settings)
    found = evaluate(run.model, leave_one_out(histories), "test", resamples=200)
    times, targets = np.asarray(histories.times), run.split.test
    gap = times[targets] - times[targets - 1]
    gain = np.where(found.ranks <= 10, 1 / np.log2(1 + np.asarray(found.ranks)), 0)
    return {
        **{name: round(found.metrics[name], 4) for name in METRICS},
        "NDCG@10 by seconds since the event before": {
            f"{low} to {high}": {"targets": int(chosen.sum()), "NDCG@10": round(float(gain[chosen].mean()), 4)}
            for low, high in ((0, 0), (1, 64), (65, 600), (601, 10**10))
            if (chosen := (gap >= low) & (gap <= high)).any()
        },
        "seconds of training": round(run.receipt.seconds["fit"]) if run.receipt else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--train", help="a model to train on each order, besides the last-item counts")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--runs", type=Path, default=Path("runs/float32-seconds"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/float32_seconds.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    histories = load(given.data)
    key, explained = file_key(histories)
    exact = np.asarray(histories.times)
    rounded = exact.astype(np.float32).astype(np.int64)
    orders = {"exact": (exact, None), "ties-by-key": (exact, key), "float32-by-key": (rounded, key)}
    found = {"data": histories.name, "pairs within ties that the key explains": round(explained, 4), "orders": {}}
    for name, (times, ties) in orders.items():
        changed = reordered(histories, times, ties, name)
        same_user = np.diff(owners(changed)) == 0
        row = {"neighbours with equal times": round(float((np.diff(changed.times) == 0)[same_user].mean()), 4)}
        row["last-item"] = measured(changed, "last-item", given.runs, {})
        if given.train:
            row[given.train] = measured(changed, given.train, given.runs, {"epochs": given.epochs})
        found["orders"][name] = row
        print(name, json.dumps(row), flush=True)
        unfinished = given.out.with_suffix(".part")
        unfinished.write_text(json.dumps(found, indent=1) + "\n")
        os.replace(unfinished, given.out)


if __name__ == "__main__":
    main()
