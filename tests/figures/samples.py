"""One call of every figure at a given number of events, so that what must hold for all is tested for all."""

import numpy as np

from seqrec_edu import figures

LONG = "A very long name: the complete stackable storage jar collection, set of twenty-four"


def names(length):
    return [("Rye flour", "Racing swimsuit", LONG)[i % 3] for i in range(length)]


def times(length):
    return 1_700_000_000 + np.cumsum(np.array([0, 60, 86400, 5 * 86400])[np.arange(length) % 4])


def attention(length, seed=0, causal=True):
    scores = np.random.default_rng(seed).normal(size=(length, length))
    if causal:
        scores[np.triu_indices(length, 1)] = -np.inf
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def shares(*shape, axis):
    values = np.random.default_rng(1).exponential(size=shape)
    return values / values.sum(axis, keepdims=True)


def log(epochs, seed=0):
    noise = np.random.default_rng(seed)
    return [{"epoch": e, "loss": 5.0 / e, "NDCG@10": 0.1 + 0.01 * noise.normal(), "gradient_norm": 1.0 / e}
            for e in range(1, epochs + 1)]  # fmt: skip


def flight(epochs):
    """A log with all that is recorded."""
    ends = ((" low", 0.5), (" q25", 0.8), ("", 1.0), (" q75", 1.3), (" high", 2.0))
    return [
        {**record, "epoch": e, "steps": 90 * e, "events": 9000 * e, "seconds": 1.5 * e, "learning_rate": 0.01 / e,
         "events_per_second": 6000.0 + e, "events_per_cpu_second": 7000.0 + e,
         **{key + end: record["NDCG@10"] * factor for key in ("NDCG@10", "gradient_norm", "dt ssds.0")
            for end, factor in ends}}
        for e, record in enumerate(log(epochs), 1)
    ]  # fmt: skip


def over_events(length):
    """Figure name → figure, for every figure whose size depends on the number of events."""
    who = (names(length), times(length))
    matrix, rng = attention(length), np.random.default_rng(2)
    decay, ages = rng.uniform(size=(length, 4)), np.arange(length)
    values = np.linalg.svd(matrix, compute_uv=False)
    gains, waves = rng.uniform(size=(length // 2 + 1, 8)), np.full(length // 2 + 1, 1 / (length // 2 + 1))
    moved = np.triu(10.0 ** np.random.default_rng(3).uniform(-9, 0, size=(length, length)))
    return {
        "mixing_heatmap": figures.mixing_heatmap(matrix, *who),
        "heads_grid": figures.heads_grid(np.stack([attention(length, n) for n in range(4)]), *who),
        "time_mask": figures.time_mask(matrix, matrix * 0.5, *who),
        "decay_and_gate": figures.decay_and_gate(decay, 1 - decay, *who),
        "decay_and_gate over time": figures.decay_and_gate(decay, decay[:, :1], *who, scale="time"),
        "state_animation": figures.state_animation(rng.normal(size=(length, 8, 16)), *who),
        "filter_response": figures.filter_response({"a": matrix[-1], "b": matrix[-1]}, circular=["a"]),
        "filtered_signal": figures.filtered_signal(
            matrix[0], {"circular": matrix[-1], "causal": matrix[0]}, ages[: length // 2 + 1], waves, *who
        ),
        "kept_periods": figures.kept_periods(gains, 0.5 * gains, waves, places=length),
        "low_rank_interests": figures.low_rank_interests(shares(length, 6, axis=0), shares(length, 6, axis=1), *who),
        "singular_spectrum": figures.singular_spectrum(values, 1.0),
        "memory_curves": figures.memory_curves(ages, {"slow": 0.9**ages, "fast": 0.3**ages}),
        "attribution_bars": figures.attribution_bars(rng.normal(size=length), *who, target=LONG),
        "poke_response": figures.poke_response(moved[0], length // 2, *who, whole=moved),
        "gap_scales": figures.gap_scales(
            times(length) - times(length)[0], times(length) - 1_700_000_000.0,
            {"official": matrix[-1], "corrected": decay[:, 0]}, 256 * matrix[-1],
            {"without times": decay[:, 1], "official": decay[:, 2], "corrected": decay[:, 3]}, *who, event=0,
        ),
        "relation_map": figures.relation_map(np.abs(times(length)[:, None] - times(length)).clip(max=256), *who),
        "reason_bars": figures.reason_bars(rng.normal(size=length), matrix[-1], *who, target=LONG),
        "training_curves": figures.training_curves({"a": log(length), "b": [log(length), log(length, 1)]}),
        "cockpit": figures.cockpit({"a": flight(length)}, level=0.1, stopped=["a"], clip=1.0),
        "cockpit alone": figures.cockpit({"a": flight(length), "b": []}, parts=["step size"], across="seconds"),
        "rank_histogram": figures.rank_histogram(np.arange(1, length + 1), length, k=1),
        "five_views": figures.five_views(
            rng.normal(size=(8, 16)), matrix, {"recurrence": (1, 2, 3), "chunks": (4, 5, 6)}, step=length - 1,
            chunk=16, kernel=("cpu", 1), names=who[0], differences={("recurrence", "chunks"): 1e-7}, tolerance=1e-5,
        ),
        "gate_proposal": figures.gate_proposal(*rng.normal(size=(3, length, 64)), *who),
    }  # fmt: skip


def of_results():
    """Figure name → figure, for those that are not drawn over events."""
    pair = {("loop", "matrix"): 1e-7, ("loop", "kernel"): 0.0, ("matrix", "kernel"): 1e-3}
    return {
        "equality_ladder": figures.equality_ladder(pair, 1e-5),
        "roofline": figures.roofline({"ours": (10.0, 1e12), "other": (1.0, 1e11)}, 1e14, 1e12, ours=["ours"]),
        "published_versus_ours": figures.published_versus_ours({"A": 0.1}, {"A": (0.11, 0.10, 0.12), LONG: 0.05}),
        "ceiling_bars": figures.ceiling_bars({"A": (0.3, 0.28, 0.32), LONG: 0.1}, 0.4, blind=[LONG]),
    }
