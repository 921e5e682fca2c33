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


def over_events(length):
    """Figure name → figure, for every figure whose size depends on the number of events."""
    who = (names(length), times(length))
    matrix, rng = attention(length), np.random.default_rng(2)
    decay, ages = rng.uniform(size=(length, 4)), np.arange(length)
    values = np.linalg.svd(matrix, compute_uv=False)
    return {
        "mixing_heatmap": figures.mixing_heatmap(matrix, *who),
        "heads_grid": figures.heads_grid(np.stack([attention(length, n) for n in range(4)]), *who),
        "time_mask": figures.time_mask(matrix, matrix * 0.5, *who),
        "decay_and_gate": figures.decay_and_gate(decay, 1 - decay, *who),
        "decay_and_gate over time": figures.decay_and_gate(decay, decay[:, :1], *who, scale="time"),
        "state_animation": figures.state_animation(rng.normal(size=(length, 8, 16)), *who),
        "filter_response": figures.filter_response({"a": matrix[-1], "b": matrix[-1]}, circular=["a"]),
        "low_rank_interests": figures.low_rank_interests(shares(length, 6, axis=0), shares(length, 6, axis=1), *who),
        "singular_spectrum": figures.singular_spectrum(values, 1.0),
        "memory_curves": figures.memory_curves(ages, {"slow": 0.9**ages, "fast": 0.3**ages}),
        "attribution_bars": figures.attribution_bars(rng.normal(size=length), *who, target=LONG),
        "training_curves": figures.training_curves({"a": log(length), "b": [log(length), log(length, 1)]}),
        "rank_histogram": figures.rank_histogram(np.arange(1, length + 1), length, k=1),
    }


def of_results():
    """Figure name → figure, for those that are not drawn over events."""
    pair = {("loop", "matrix"): 1e-7, ("loop", "kernel"): 0.0, ("matrix", "kernel"): 1e-3}
    return {
        "equality_ladder": figures.equality_ladder(pair, 1e-5),
        "roofline": figures.roofline({"ours": (10.0, 1e12), "other": (1.0, 1e11)}, 1e14, 1e12, ours=["ours"]),
        "published_versus_ours": figures.published_versus_ours({"A": 0.1}, {"A": (0.11, 0.10, 0.12), LONG: 0.05}),
        "ceiling_bars": figures.ceiling_bars({"A": (0.3, 0.28, 0.32), LONG: 0.1}, 0.4, blind=[LONG]),
    }
