"""Mamba-1's scan with its skip: loops, parallel scans, and ours."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from seqrec_edu import ops
from seqrec_edu.bench import peers, rivals
from seqrec_edu.bench.case import Case, Variant, Work, chosen, ladder, normal, only
from seqrec_edu.bench.settings import Settings

USED = ("x", "dt", "A", "B", "C", "D")
INDEXED = "indexing makes its backward pass quadratic in the length: left out beyond {} events"


def cases(settings: Settings) -> list[Case]:
    e, n = (16, 4) if settings.quick else (128, 16)
    return [_case({"b": b, "l": l, "e": e, "n": n}, settings.peers) for b, l in settings.batches]


def _case(sizes, peers_folder):
    b, l, e, n = sizes.values()
    states = 4.0 * b * l * e * n

    def run(**inputs):
        return ops.selective_scan(*(inputs[name] for name in USED), backend=inputs["backend"])

    def long(limit):
        return None if l <= limit else INDEXED.format(limit)

    others = [
        Variant("indexed-loop", "loop that indexes x[:, t]", only(rivals.indexed_loop, *USED), missing=long(200)),
        Variant(
            "materialised-loop", "materialised states, indexed loop", only(rivals.materialised_loop, *USED),
            missing=long(50), needs=6 * states,
        ),
        Variant("blelloch", "Blelloch scan", only(rivals.blelloch_scan, *USED), needs=8 * states),
        Variant(
            "associative-scan", "torch associative_scan", only(rivals.associative_scan, *USED),
            missing=rivals.no_associative_scan(), needs=10 * states,
        ),
        *(replace(peer, needs=10 * states) for peer in peers.selective_scans(peers_folder, too_long=long(50))),
    ]  # fmt: skip
    own = ladder("selective_scan", run, reference=4 * states)
    return Case(
        name=f"{b} × {l}, {e} channels, {n} states",
        sizes=sizes,
        make=make,
        learn=USED,
        truths={"same": lambda **inputs: run(**inputs, backend="reference")},
        variants=(own[0], *others, *own[1:]),
        work={"same": work(sizes)},
        fewer={"b": 2},
        chosen=chosen("selective_scan"),
    )


def make(sizes):
    b, l, e, n = (sizes[axis] for axis in "blen")
    return {
        "x": normal(b, l, e, seed=1),
        "dt": F.softplus(normal(b, l, e, seed=2) - 2),
        "A": -torch.arange(1.0, n + 1).repeat(e, 1),
        "B": normal(b, l, n, seed=3),
        "C": normal(b, l, n, seed=4),
        "D": normal(e, seed=5),
    }


def work(sizes):
    """One multiplication for the exponent, three operations to update a state and two to read it; backward, the update
    again and 13 operations."""
    b, l, e, n = (sizes[axis] for axis in "blen")
    states, inputs = b * l * e * n, 4 * (2 * b * l * e + 2 * b * l * n)
    return {
        "forward": Work(inputs + 4 * b * l * e, 6 * states, states),
        "both": Work(3 * inputs + 8 * b * l * e, 24 * states, 2 * states),
    }
