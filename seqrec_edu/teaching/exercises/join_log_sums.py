"""Two halves of a logarithm of a sum of exponentials, joined without overflow."""

import math

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import normal, positive

exercise = Exercise(
    "join_log_sums",
    title="Join two tiles",
    goal="Join the largest score and the sum of exponentials of two halves of a catalogue.",
    notebook="10_equations_to_kernels",
    minutes=10,
    difficulty="easy",
    points=3,
    arguments={"m1": normal("t"), "z1": positive("t"), "m2": normal("t"), "z2": positive("t")},
    result=("t", "t"),
    own=("ops._linear_cross_entropy",),
    sizes={"t": 5},
    hints=(
        "A sum of exponentials relative to m1 becomes one relative to m by a factor. Which m serves both halves?",
        "m is the larger of m1 and m2. Then z1 is multiplied by exp(m1 - m), z2 by exp(m2 - m), and they are added.",
        "Two empty halves: m is -inf, and -inf - (-inf) is NaN. An empty half's sum is 0, whatever its factor is.",
        "Under the exponential only, put 0 in the place of m where m is -inf: exp(-inf - 0) = 0.",
    ),
)


@exercise.solution
def join_log_sums(m1, z1, m2, z2):
    """m1 is the largest score s of one half of the items, z1 = Σ exp(s - m1); m2, z2 the same of the other half.

    Find both for all items: the larger m, and z = Σ exp(s - m). A half without items has m = -inf and z = 0, and
    both may be such.
    m1, z1, m2, z2 "t"  ->  m "t", z "t"
    """
    m = torch.maximum(m1, m2)
    finite = m.masked_fill(m == -torch.inf, 0)
    z = z1 * torch.exp(m1 - finite) + z2 * torch.exp(m2 - finite)
    return m, z


@exercise.alternative
def by_the_larger_half(m1, z1, m2, z2):
    first = m1 >= m2
    low, high = torch.where(first, m2, m1), torch.where(first, m1, m2)
    few, many = torch.where(first, z2, z1), torch.where(first, z1, z2)
    factor = torch.where(few > 0, torch.exp(low - high), few)
    return high, many + few * factor


@exercise.alternative
def by_logaddexp(m1, z1, m2, z2):
    m = torch.stack([m1, m2]).amax(0)
    both = torch.logaddexp(m1 + z1.log(), m2 + z2.log())
    return m, torch.exp(both - m).nan_to_num(0)


@exercise.alternative
def token_by_token(m1, z1, m2, z2):
    found = []
    for a, z_a, b, z_b in zip(m1.tolist(), z1.tolist(), m2.tolist(), z2.tolist(), strict=True):
        m, z = max(a, b), 0.0
        if z_a > 0:
            z = z + z_a * math.exp(a - m)
        if z_b > 0:
            z = z + z_b * math.exp(b - m)
        found.append([m, z])
    return tuple(torch.tensor(found, dtype=m1.dtype).T)


@exercise.special("a half without items")
def one_empty(draw):
    m1, m2 = torch.randn(2, 4, generator=draw, dtype=torch.float64)
    z1, z2 = 1 + torch.rand(2, 4, generator=draw, dtype=torch.float64)
    m1[1], z1[1], m2[2], z2[2] = -torch.inf, 0, -torch.inf, 0
    return {"m1": m1, "z1": z1, "m2": m2, "z2": z2}


@exercise.special("two halves without items")
def both_empty(draw):
    nothing, zero = torch.full((2,), -torch.inf, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    return {"m1": nothing, "z1": zero, "m2": nothing.clone(), "z2": zero.clone()}


@exercise.special("scores near a thousand, whose exponentials overflow")
def large(draw):
    m1, m2 = 1000 + torch.randn(2, 4, generator=draw, dtype=torch.float64)
    z1, z2 = 1 + torch.rand(2, 4, generator=draw, dtype=torch.float64)
    return {"m1": m1, "z1": z1, "m2": m2, "z2": z2}


SUM = "z1 * torch.exp(m1 - finite) + z2 * torch.exp(m2 - finite)"
exercise.slips(
    ("sums not scaled", "The sums are added as they are, z1 relative to m1, z2 to m2. Scale both to the larger m.",
     (SUM, "z1 + z2")),
    ("only the first sum scaled", "z2 is not scaled: where m1 is the larger, it is still relative to m2.",
     (SUM, "z1 * torch.exp(m1 - finite) + z2")),
    ("only the second sum scaled", "z1 is not scaled: where m2 is the larger, it is still relative to m1.",
     (SUM, "z1 + z2 * torch.exp(m2 - finite)")),
    ("factors exchanged", "Each sum has the other's factor: z1 goes with exp(m1 - m), z2 with exp(m2 - m).",
     (SUM, "z1 * torch.exp(m2 - finite) + z2 * torch.exp(m1 - finite)")),
    ("sign turned round", "The factor is exp(m - m1): it grows where it should shrink. It is exp(m1 - m), at most 1.",
     (SUM, "z1 * torch.exp(finite - m1) + z2 * torch.exp(finite - m2)")),
    ("the smaller m", "m is the smaller of both: factors are then above 1 and overflow. Take the larger.",
     ("torch.maximum(m1, m2)", "torch.minimum(m1, m2)")),
    ("two empty halves give NaN", "Where both halves are empty, m is -inf and m1 - m is NaN. Use a finite number "
                                  "there, or put 0 in the place of the factor.",
     ("    finite = m.masked_fill(m == -torch.inf, 0)\n", "    finite = m\n")),
    ("an empty half gives NaN", "The difference m1 - m2 stands under the exponential: beside an empty half it is "
                                "infinite, and 0 · ∞ is NaN. Scale to the larger m instead.",
     (SUM, "z1 + z2 * torch.exp(m2 - m1)"), ("m = torch.maximum(m1, m2)", "m = m1")),
    ("exponentials of the scores themselves", "z is not relative to m: z1 · exp(m1) overflows from a score of 710 on.",
     (SUM, "z1 * torch.exp(m1) + z2 * torch.exp(m2)")),
    ("scaled down too late", "It is right for small scores only: exp(m1) overflows before it is divided by exp(m).",
     (SUM, "(z1 * torch.exp(m1) + z2 * torch.exp(m2)) / torch.exp(finite)")),
    ("logarithm instead of sum", "The second result is log Σ exp(s), not Σ exp(s - m).",
     ("return m, z", "return m, m + torch.log(z)")),
    ("logarithm of z", "The second result is the logarithm of the sum.", ("return m, z", "return m, torch.log(z)")),
    ("logarithm instead of m", "The first result is log Σ exp(s); asked are the largest score m and the sum z.",
     ("return m, z", "return m + torch.log(z), z")),
    ("all in m", "m has taken up the whole sum, and z is 1: the total is right, but m should be the largest score.",
     ("return m, z", "return m + torch.log(z), (z > 0).to(z.dtype)")),
    ("only the larger half", "The half with the smaller m is thrown away: it counts too, scaled by exp(m1 - m).",
     (SUM, "torch.where(m1 >= m2, z1, z2)")),
    ("product", "The halves are multiplied: sums of exponentials are added.",
     (SUM, "z1 * torch.exp(m1 - finite) * z2 * torch.exp(m2 - finite)")),
    ("exponential missing", "The factor is m1 - m: it should be exp(m1 - m).",
     (SUM, "z1 * (m1 - finite) + z2 * (m2 - finite)")),
    ("mean of both", "m is the mean of m1 and m2: the factor of the larger one is above 1 and may overflow. Take the "
                     "larger.",
     ("torch.maximum(m1, m2)", "(m1 + m2) / 2"),
     ("    finite = m.masked_fill(m == -torch.inf, 0)\n", "    finite = m\n")),
    ("m joined like a sum", "m is log(exp(m1) + exp(m2)) and the sums are added: m should be the larger of both, and "
                            "each sum be scaled to it.",
     ("torch.maximum(m1, m2)", "torch.logaddexp(m1, m2)"), (SUM, "z1 + z2")),
    ("m added up", "m is m1 + m2; it should be the larger of both.",
     ("torch.maximum(m1, m2)", "m1 + m2")),
    ("z and m exchanged", "The results are exchanged: first m, then z.", ("return m, z", "return z, m")),
)  # fmt: skip
