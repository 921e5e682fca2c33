"""One half of a projection decides how much of the other passes, inside a residual and a norm."""

import torch
import torch.nn.functional as F

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import normal

exercise = Exercise(
    "gated_linear_unit",
    title="A gate from bare weights",
    goal="Write EchoMamba4Rec's gate from its formula, and know which half is the gate.",
    notebook="09_both_directions_and_gates",
    minutes=10,
    difficulty="easy",
    points=3,
    arguments={"x": normal("b l d"), "W1": normal("e d"), "b1": normal("e"), "W2": normal("d d"), "b2": normal("d")},
    result="b l d",
    gradients=("x", "W1", "b1", "W2", "b2"),
    own=("ops._glu", "layers.glu"),
    derived={"e": lambda sizes: 2 * sizes["d"]},
    tolerance=10.0,
    hints=(
        "Five steps: project with W1 and b1, split the channels into two halves, gate, project with W2 and b2, add x "
        "and normalise.",
        "F.linear(x, W, b) is x Wᵀ + b. The result of W1 has 2 d channels: .chunk(2, dim=-1) gives u, then v.",
        "v goes through the sigmoid, u stays as it is; their product goes through W2.",
        "F.layer_norm(y, y.shape[-1:], eps=1e-12) of y = W2 (u ⊙ σ(v)) + b2 + x.",
    ),
)


@exercise.solution
def gated_linear_unit(x, W1, b1, W2, b2):
    """u, v = the halves of W1 x + b1;  LN(W2 (u ⊙ σ(v)) + b2 + x), where LN takes off the mean over d and divides by
    √(variance + 1e-12), without weights of its own. Every event by itself.

    x "b l d", W1 "e d" with e = 2 d (first the rows of u), b1 "e", W2 "d d", b2 "d"  ->  "b l d"
    """
    u, v = F.linear(x, W1, b1).chunk(2, dim=-1)
    passed = u * torch.sigmoid(v)
    y = F.linear(passed, W2, b2) + x
    return F.layer_norm(y, y.shape[-1:], eps=1e-12)


@exercise.alternative
def by_hand(x, W1, b1, W2, b2):
    d = x.shape[2]
    u = x @ W1[:d].T + b1[:d]
    v = x @ W1[d:].T + b1[d:]
    y = torch.einsum("bld, cd -> blc", u / (1 + torch.exp(-v)), W2) + b2 + x
    y = y - y.mean(2, keepdim=True)
    return y / ((y**2).mean(2, keepdim=True) + 1e-12).sqrt()


@exercise.alternative
def with_functions_of_torch(x, W1, b1, W2, b2):
    inside = F.glu(x @ W1.mT + b1, dim=2)
    return F.layer_norm(x + (inside @ W2.mT + b2), b2.shape, eps=1e-12)


@exercise.alternative
def event_by_event(x, W1, b1, W2, b2):
    rows = []
    for event in x.reshape(-1, len(b2)):
        both = W1 @ event + b1
        u, v = both[: len(b2)], both[len(b2) :]
        y = W2 @ (u * v.sigmoid()) + b2 + event
        rows.append((y - y.mean()) / torch.sqrt(y.var(correction=0) + 1e-12))
    return torch.stack(rows).view(x.shape)


PASSED, SUM = "u * torch.sigmoid(v)", "F.linear(passed, W2, b2) + x"
SPLIT = "F.linear(x, W1, b1).chunk(2, dim=-1)"
NORM = "return F.layer_norm(y, y.shape[-1:], eps=1e-12)"
exercise.slips(
    ("halves exchanged", "The halves are exchanged: the first is u, which passes, the second v, which decides.",
     (PASSED, "v * torch.sigmoid(u)")),
    ("halves interleaved", "Every second channel goes to u: u is the first half of the channels, v the second.",
     (SPLIT, "F.linear(x, W1, b1).unflatten(-1, (-1, 2)).unbind(-1)")),
    ("silu for the sigmoid", "The factor is v σ(v), silu: asked for is σ(v), a share between 0 and 1.",
     (PASSED, "u * F.silu(v)")),
    ("gelu for the sigmoid", "The factor is gelu(v): asked for is σ(v), a share between 0 and 1.",
     (PASSED, "u * F.gelu(v)")),
    ("ReLU for the sigmoid", "The factor is max(v, 0): asked for is σ(v), a share between 0 and 1.",
     (PASSED, "u * F.relu(v)")),
    ("tanh for the sigmoid", "The factor is tanh(v), which can turn a sign: asked for is σ(v), between 0 and 1.",
     (PASSED, "u * torch.tanh(v)")),
    ("softmax for the sigmoid", "The gates of an event share out 1, by a softmax: each channel has a sigmoid of its "
     "own.",
     (PASSED, "u * torch.softmax(v, -1)")),
    ("LSTM gate", "u goes through tanh: along u there is no squashing, it is multiplied as it is.",
     (PASSED, "torch.tanh(u) * torch.sigmoid(v)")),
    ("sigmoid twice", "The gate goes through the sigmoid twice.",
     ("torch.sigmoid(v)", "torch.sigmoid(torch.sigmoid(v))")),
    ("sigmoid of both", "Both halves go through a sigmoid: u passes as it is.",
     (PASSED, "torch.sigmoid(u) * torch.sigmoid(v)")),
    ("sigmoid missing", "u and v are multiplied as they are: the sigmoid of v is missing.", (PASSED, "u * v")),
    ("gate inverted", "The gate is 1 - σ(v): a large v should open it.", (PASSED, "u * torch.sigmoid(-v)")),
    ("no gate", "v is not used: u passes whole.", (PASSED, "u")),
    ("gate only", "u is not used: only the gate goes on.", (PASSED, "torch.sigmoid(v)")),
    ("sum instead of product", "u and the gate are added: a gate multiplies.", (PASSED, "u + torch.sigmoid(v)")),
    ("quotient instead of product", "u is divided by the gate: it should be multiplied by it.",
     (PASSED, "u / torch.sigmoid(v)")),
    ("x gated", "The gate acts on x: it should act on u, the first half of the projection.",
     (PASSED, "x * torch.sigmoid(v)")),
    ("gate after W2", "W2 comes before the gate: it should act on the product u ⊙ σ(v).",
     (PASSED, "u"),
     (SUM, "F.linear(u, W2, b2) * torch.sigmoid(v) + x")),
    ("bias gated", "b2 comes before W2, with the product: it should be added after W2.",
     (SUM, "F.linear(passed + b2, W2) + x")),
    ("b1 left out", "b1 is not added: without it a gate cannot be open or shut from the start.",
     ("x, W1, b1", "x, W1")),
    ("b1 of u for both", "The half of b1 that belongs to u is added to v as well: v has the second half.",
     (SPLIT, "(x @ W1.mT + torch.cat([b1[: len(b2)], b1[: len(b2)]])).chunk(2, dim=-1)")),
    ("b2 left out", "b2 is not added.", ("passed, W2, b2", "passed, W2")),
    ("W2 left out", "The second projection is missing: W2 (u ⊙ σ(v)) + b2.", (SUM, "passed + b2 + x")),
    ("W2 transposed", "W2 is transposed: its rows belong to the channels that come out, F.linear(…, W2) or … @ W2.mT.",
     ("passed, W2, b2", "passed, W2.mT, b2")),
    ("W1 in the wrong layout", "W1 is reshaped to d e, which mixes up its entries: x W1ᵀ takes the transpose, W1.mT.",
     ("F.linear(x, W1, b1)", "(x @ W1.reshape(W1.shape[::-1]) + b1)")),
    ("both wrong layouts", "W1 is reshaped to d e, which mixes up its entries, and W2 is used without transposing.",
     ("F.linear(x, W1, b1)", "(x @ W1.reshape(W1.shape[::-1]) + b1)"),
     ("passed, W2, b2", "passed, W2.mT, b2")),
    ("residual missing", "x is not added: where the gate is shut, x should be left.",
     (SUM, "F.linear(passed, W2, b2)")),
    ("residual subtracted", "x is taken off: it should be added.", ("b2) + x", "b2) - x")),
    ("residual multiplied", "x is multiplied: it should be added.", ("b2) + x", "b2) * x")),
    ("residual before W2", "x goes through W2 with the product: it should be added after it.",
     (SUM, "F.linear(passed + x, W2, b2)")),
    ("residual after the norm", "x is added after the norm: it belongs inside.",
     ("b2) + x", "b2)"),
     (NORM, "return F.layer_norm(y, y.shape[-1:], eps=1e-12) + x")),
    ("residual twice", "x is added twice, inside the norm and after it: it belongs inside.", (NORM, NORM + " + x")),
    ("residual of the gated half", "The product is added instead of x: the residual is what came in.",
     ("b2) + x", "b2) + passed")),
    ("norm missing", "The norm at the end is missing.", (NORM, "return y")),
    ("norm first", "x is normalised on its way in, not the sum at the end.",
     ("F.linear(x, W1", "F.linear(F.layer_norm(x, x.shape[-1:], eps=1e-12), W1"),
     (NORM, "return y")),
    ("norm at both ends", "x is normalised on its way in as well: only the sum at the end is.",
     ("F.linear(x, W1", "F.linear(F.layer_norm(x, x.shape[-1:], eps=1e-12), W1")),
    ("mean not taken off", "The result is divided by its size, but the mean over d is not taken off: that is an RMS "
     "norm.",
     (NORM, "return F.rms_norm(y, y.shape[-1:], eps=1e-12)")),
    ("not divided", "The mean over d is taken off, but the result is not divided by the deviation.",
     (NORM, "return y - y.mean(-1, keepdim=True)")),
    ("deviation with d - 1", "The variance is divided by d - 1, torch's default in std and var: a LayerNorm divides "
     "by d.",
     (NORM, "return (y - y.mean(-1, keepdim=True)) / (y.var(-1, keepdim=True) + 1e-12).sqrt()")),
    ("divided by the variance", "It is divided by the variance: a root is missing.",
     (NORM, "return (y - y.mean(-1, keepdim=True)) / (y.var(-1, keepdim=True, correction=0) + 1e-12)")),
    ("norm over the events", "Mean and variance are taken along l: an event then hears of later ones. They belong to "
     "d.",
     (NORM, "return F.layer_norm(y.mT, y.shape[1:2], eps=1e-12).mT")),
    ("norm over the history", "Mean and variance are taken over l and d together: every event has its own.",
     (NORM, "return F.layer_norm(y, y.shape[1:], eps=1e-12)")),
    ("norm over the batch", "Mean and variance are taken along b: every event has its own, over d.",
     (NORM, "return F.layer_norm(y.transpose(0, 2), y.shape[:1], eps=1e-12).transpose(0, 2)")),
    ("eps of 1e-5", "PyTorch's LayerNorm has an eps of 1e-5 unless told: asked for is 1e-12.", (", eps=1e-12", "")),
    ("softmax at the end", "A softmax stands in place of the norm.", (NORM, "return torch.softmax(y, -1)")),
)  # fmt: skip
