"""The planted worlds put to the test: does the block a world was made for win, and does nobody exceed the ceiling?

Every world has one mechanism, an exact ceiling, and a specification that says who wins. Here blocks are trained on few
people of it and asked of many others (`training.ceiling.fresh_users`), at three seeds: other people to learn from and
other first weights, the same people asked. What is expected was written down before the first run, in worlds.toml; it
comes out met or not, and nothing is tuned until it fits: at most two settings a world, both in the result.

Who beats whom is decided by what each one's list is worth under the true distribution of the next item, Σ over items of
the true probability × what the metric pays at its rank: the draw of the targets does not count, nor the order of items
that a blind predictor cannot tell apart. Whether somebody lies above the ceiling is decided by the targets that were
drawn, because a leak shows nowhere else.

    python benchmarks/worlds.py                             all worlds, run by run; what is finished is not run again
    python benchmarks/worlds.py --only gap-switch --seeds 0,1
    python benchmarks/worlds.py --list                      what would be run, and what is expected

Results: benchmarks/results/worlds/WORLD.json, and WORLD.npz with the worth of every list, from which the paired
differences can be made again.
"""

import argparse
import functools
import io
import json
import time
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from seqrec_edu.data.batches import EventStore
from seqrec_edu.data.files import write_whole
from seqrec_edu.data.synthetic import world
from seqrec_edu.data.synthetic.world import rank_gains, ranking
from seqrec_edu.models import MODELS, build
from seqrec_edu.reproduce.verdict import difference
from seqrec_edu.training import Callback, FitSettings, evaluate, fit
from seqrec_edu.training.ceiling import METRICS, against_ceiling, fresh_users
from seqrec_edu.training.evaluate import inference
from seqrec_edu.training.machine import commit, device_name, versions

TRIALS = Path(__file__).with_suffix(".toml")
RESULTS = Path(__file__).parent / "results" / "worlds"
LENGTH = 50
ASKED = {"valid": 300, "test": 2_000}
ALIKE = 1e-12  # scores that differ by less are equal, but for rounding
BEATS, NOT = "beats", "does not beat"


@dataclass(frozen=True)
class Trial:
    """A world, how many learn, and for how long; blocks and expectations as the TOML file explains them."""

    world: str
    users: int
    epochs: int
    batch_size: int
    metric: str
    why: str
    expected: list[str]
    blocks: dict[str, dict] = field(repr=False)
    d_model: int = 64
    dials: dict[str, float] = field(default_factory=dict)
    setting: str = "first of at most two, fixed before the first run"

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        """The expectations as (one, "beats" or "does not beat", other)."""
        words = [NOT if f" {NOT} " in line else BEATS for line in self.expected]
        return [(*line.split(f" {word} "), word) for line, word in zip(self.expected, words, strict=True)]

    @property
    def models(self) -> list[str]:
        """Labels of the blocks that the expectations name, in their order."""
        return list(dict.fromkeys(name for *pair, _ in self.lines for name in pair if name in self.blocks))

    def training(self, seed: int, label: str) -> FitSettings:
        """How one block is trained: alike, but for a window."""
        return FitSettings(
            history_length=self.blocks[label].get("sees", LENGTH), epochs=self.epochs, batch_size=self.batch_size,
            learning_rate=2e-3, patience=12, validate_every=2, seed=seed,
        )  # fmt: skip

    def built(self, label: str) -> tuple[str, dict]:
        """Name and settings of a block in this world."""
        settings = {key: value for key, value in self.blocks[label].items() if key not in ("model", "sees")}
        name, sizes = self.blocks[label]["model"], {"d_model": self.d_model, "dropout": 0.1}
        if "history_length" in MODELS[name][1].__dataclass_fields__:
            sizes["history_length"] = LENGTH
        return name, {**sizes, **settings}


def trials() -> list[Trial]:
    """All of them, in the order in which they are run."""
    found = tomllib.loads(TRIALS.read_text(encoding="utf-8"))
    return [Trial(**each, blocks=found["blocks"]) for each in found["trials"]]


class Steps(Callback):
    """Counts them."""

    count = 0

    def on_step_end(self, log):
        self.count += 1


class Results:
    """WORLD.json and WORLD.npz of one trial: read, added to run by run, and judged anew each time."""

    def __init__(self, trial: Trial, folder: Path):
        self.trial, self.world = trial, world(trial.world, **trial.dials)
        self.path = folder / f"{trial.world}.json"
        self.found, self.worth = self._fresh(), {}
        if self.path.exists():
            self._take_up(json.loads(self.path.read_text(encoding="utf-8")))

    def split(self, seed: int):
        """The people whom a seed trains on, and those who are asked, the same for every seed."""
        return fresh_users(self.world, self.trial.users, **ASKED, seed=seed, length=LENGTH)

    def _fresh(self) -> dict:
        trial = self.trial
        about = {key: value for key, value in asdict(trial).items() if key not in ("expected", "blocks")}
        return {**about, **ASKED, "length": LENGTH, "earlier": [], "predictors": {}, "runs": []}

    def _take_up(self, was: dict) -> None:
        """Go on with what is there; results of another setting of the same world are kept as the earlier one."""
        if was["setting"] != self.trial.setting:
            self.found["earlier"] = [*was.pop("earlier"), was]
        elif changed := [key for key in self._fresh() if key not in ("earlier", "predictors", "runs")
                         and was[key] != self.found[key]]:  # fmt: skip
            raise SystemExit(f"{self.path} was made with another {', '.join(changed)}: say so in `setting`")
        else:
            self.found = was
            with np.load(self.path.with_suffix(".npz"), allow_pickle=False) as stored:
                self.worth = {key: stored[key] for key in stored.files}

    def has(self, label: str, seed: int) -> bool:
        """Whether this run is finished."""
        return any((run["model"], run["seed"]) == (label, seed) for run in self.found["runs"])

    def measure_predictors(self) -> None:
        """Ceiling and blind scores of the people who are asked, and what the list of the blind is worth to each."""
        split = self.split(0)
        for name in self.world.predictors:
            ceiling = self.world.ceiling(split.histories, split.test, name)
            worth = self.worth_of(self.world.bayes_rows(split.histories, split.test, name))
            self.worth[name] = worth[self.trial.metric].astype(np.float32)
            self.found["predictors"][name] = {metric: round(ceiling.metrics[metric], 5) for metric in METRICS}

    def worth_of(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric of each person, "u", expected under the truth when items are listed by scores "u v".

        Items that score alike come in any order, equally often. A predictor blind to time must guess between two items
        of a gap-switch; were it to guess by index, it would be lucky or not with the people who happen to be asked.
        """
        order = ranking(scores)
        probability = np.take_along_axis(self.truth, order, axis=1)
        ordered = np.take_along_axis(scores, order, axis=1)
        first = np.ones(order.shape, dtype=bool)
        first[:, 1:] = ordered[:, :-1] - ordered[:, 1:] > ALIKE
        starts = np.flatnonzero(first)
        sizes = np.diff(np.append(starts, first.size))
        shared = np.repeat(np.add.reduceat(probability.ravel(), starts) / sizes, sizes).reshape(order.shape)
        gains = rank_gains(order.shape[1], cutoffs=(1, 10))
        return {metric: shared @ gains[metric] for metric in METRICS}

    @functools.cached_property
    def truth(self) -> np.ndarray:
        """The true distribution of everybody's next item, "u v"."""
        split = self.split(0)
        return self.world.bayes_rows(split.histories, split.test)

    def run(self, label: str, seed: int) -> None:
        """Train one block, ask it, hold it against the ceiling, and write that down."""
        split, training = self.split(seed), self.trial.training(seed, label)
        name, settings = self.trial.built(label)
        model, steps, began = build(name, n_items=split.histories.n_items, seed=seed, **settings), Steps(), cpu()
        result = fit(model, split, training, callbacks=[steps], device="cpu")
        fitted = cpu()
        options = {"history_length": training.history_length, "cutoffs": (1, 10)}
        evaluation = evaluate(model, split, "test", **options)
        ended = cpu()
        standing = against_ceiling(evaluation, self.world, split)
        expected = self.worth_of(scores_of(model, split, training.history_length))
        self.worth[f"{label}/{seed}"] = expected[self.trial.metric].astype(np.float32)
        self.found["runs"].append({
            "model": label, "seed": seed, "test": rounded(evaluation),
            "expected": {metric: round(float(each.mean()), 5) for metric, each in expected.items()},
            "against the ceiling": rounded_standing(standing),
            "parameters": sum(p.numel() for p in model.parameters()), "steps": steps.count,
            "epochs": len(result.log), "best epoch": result.best_epoch,
            "curve": [[log["epoch"], round(log["NDCG@10"], 4)] for log in result.log if "NDCG@10" in log],
            "cpu seconds": {"fit": round(fitted - began, 1), "evaluate": round(ended - fitted, 1)},
            "built": [name, settings], "training": asdict(training), "split": split.hash,
            "versions": versions(), "device": device_name(torch.device("cpu")), "commit": commit(),
        })  # fmt: skip
        if standing.leaking:
            print(standing, flush=True)

    def table(self, keys: list[str]) -> np.ndarray:
        """What the metric that decides expects of every person who was asked, "s u"."""
        return np.stack([self.worth[key] for key in keys]).astype(np.float64)

    def judge(self) -> None:
        """Every expectation beside what came out: met where the interval over people and seeds says so.

        "beats" is found where that interval of the paired difference lies above zero; "does not beat" everywhere else,
        which includes that nobody can tell. A blind predictor has no seeds: it ranks the same for each.
        """
        verdicts, metric = [], self.trial.metric
        for one, other, expected in self.trial.lines:
            entry = {"line": f"{one} {expected} {other}", "metric": metric, "found": "not run", "met": None}
            seeds = sorted(run["seed"] for run in self.found["runs"] if run["model"] == one)
            seeds = [seed for seed in seeds if other not in self.trial.blocks or self.has(other, seed)]
            if len(seeds) > 1:
                keys = [f"{other}/{seed}" if other in self.trial.blocks else other for seed in seeds]
                apart = difference(self.table([f"{one}/{seed}" for seed in seeds]), self.table(keys))
                found = BEATS if apart.low > 0 else NOT
                ends = {key: round(getattr(apart, key), 5) for key in ("value", "low", "high")}
                entry |= {"found": found, "met": found == expected, "seeds": seeds, "difference": ends}
            verdicts.append(entry)
        self.found["expectations"] = verdicts
        self.found["leaking"] = [
            f"{run['model']}, seed {run['seed']}" for run in self.found["runs"]
            if any(each["leaking"] for each in run["against the ceiling"].values())
        ]  # fmt: skip

    def write(self) -> None:
        """Both files, whole or not at all; the arrays first, so that no run is listed without them."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **self.worth)
        write_whole(self.path.with_suffix(".npz"), buffer.getvalue())
        text = json.dumps(self.found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_whole(self.path, text.encode("utf-8"))


def scores_of(model, split, history_length: int) -> np.ndarray:
    """What a model gives every item as the next one of everybody who is asked, "u v"."""
    users = split.users_of(split.test)
    start = np.maximum(split.histories.offsets[users], split.test - history_length)
    store, found = EventStore(split.histories, device="cpu"), []
    with inference(model):
        for first in range(0, len(start), 256):
            batch = store.gather(start[first : first + 256], split.test[first : first + 256])
            found.append(model.scores(batch).double().numpy())
    return np.concatenate(found)


def cpu() -> float:
    """Seconds that this process has computed: others on the machine do not count."""
    return time.process_time()


def rounded(evaluation) -> dict:
    """Metrics with their intervals at 95 %, to five digits."""
    found = {name: (evaluation.metrics[name], *evaluation.intervals[name]) for name in METRICS}
    return {
        name: {end: round(x, 5) for end, x in zip(("value", "low", "high"), each, strict=True)}
        for name, each in found.items()
    }


def rounded_standing(standing) -> dict:
    """Intervals at the level of the check, the ceiling, and whether the one lies above the other."""
    return {
        name: {"low": round(each.low, 5), "high": round(each.high, 5), "ceiling": round(each.ceiling, 5),
               "level": standing.level, "leaking": each.leaking}
        for name, each in standing.standings.items()
    }  # fmt: skip


def said(results: Results) -> str:
    """The verdicts so far, a line each."""
    lines = [f"  leaking: {each}" for each in results.found["leaking"]]
    for each in results.found["expectations"]:
        word = {None: "not yet", True: "met", False: "NOT MET"}[each["met"]]
        apart = "{value:+.4f} [{low:+.4f}, {high:+.4f}]".format(**each["difference"]) if "difference" in each else ""
        lines.append(f"  {word:<8} {each['line']}  {each['metric']} {apart}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [trial.world for trial in trials()]
    parser.add_argument("--only", choices=names, action="append", help="a world; may be given more than once")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--list", action="store_true", help="say what would be run, and run nothing")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for trial in trials():
        if given.only and trial.world not in given.only:
            continue
        results = Results(trial, given.out)
        print(f"{trial.world}: {trial.users} train, {', '.join(trial.models)}", flush=True)
        missing = [(label, seed) for seed in map(int, given.seeds.split(",")) for label in trial.models
                   if not results.has(label, seed)]  # fmt: skip
        if missing and not given.list:
            results.measure_predictors()
        for label, seed in [] if given.list else missing:
            results.run(label, seed)
            results.judge()
            results.write()
            last = results.found["runs"][-1]
            shown = ", ".join(f"{name} {value:.4f}" for name, value in last["expected"].items())
            print(f"  {label}, seed {seed}: {shown}, {last['cpu seconds']['fit']:.0f} s", flush=True)
        results.judge()
        print(said(results), flush=True)


if __name__ == "__main__":
    main()
