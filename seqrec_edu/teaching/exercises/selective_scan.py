"""The selective scan of Mamba-1, event by event."""

import torch
from einops import einsum

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import between, normal, positive

exercise = Exercise(
    "selective_scan",
    title="The selective scan of Mamba-1",
    goal="Write the recurrence in which every channel has a decay for each number of its state.",
    notebook="03_selection",
    minutes=20,
    difficulty="medium",
    points=4,
    arguments={
        "x": normal("b l e"),
        "dt": positive("b l e"),
        "A": between("e n", -1.5, -0.2),
        "B": normal("b l n"),
        "C": normal("b l n"),
        "D": normal("e"),
    },
    result="b l e",
    gradients=("x", "dt", "A", "B", "C", "D"),
    own=("ops._selective_scan", "ops._ssd", "layers.mamba", "lens.views"),
    hints=(
        "The state has shape b e n: n numbers for every channel e. It is zero before the first event.",
        "The decay is exp(dt·A): dt has an axis e and A has e and n, so it needs dt[:, t, :, None].",
        "What is written is dt·x of the channel times B: (dt * x)[:, t, :, None] * B[:, t, None, :].",
        "Read after writing: sum over n of state · C[:, t, None, :]. Then add D·x, which does not enter the state.",
    ),
)


@exercise.solution
def selective_scan(x, dt, A, B, C, D):
    """H[t] = exp(dt[t] A) H[t-1] + dt[t] x[t] B[t],  y[t] = Σₙ H[t] C[t] + D x[t],  with H = 0 before the first event.

    x, dt "b l e" (dt positive), A "e n" (negative), B, C "b l n", D "e"  ->  y "b l e"
    """
    state = x.new_zeros(x.shape[0], x.shape[2], A.shape[1])
    outputs = []
    for t in range(x.shape[1]):
        decay = torch.exp(dt[:, t, :, None] * A)
        written = (dt[:, t] * x[:, t])[:, :, None] * B[:, t, None, :]
        state = decay * state + written
        outputs.append(einsum(state, C[:, t], "b e n, b n -> b e") + D * x[:, t])
    return torch.stack(outputs, dim=1)


@exercise.alternative
def as_matrix(x, dt, A, B, C, D):
    total = dt.cumsum(1)
    elapsed = total[:, :, None] - total[:, None]
    future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    decay = torch.exp((elapsed[..., None] * A).masked_fill(future[None, :, :, None, None], -torch.inf))
    M = einsum(C, decay, B, dt, "b t n, b t s e n, b s n, b s e -> b e t s")
    return einsum(M, x, "b e t s, b s e -> b t e") + D * x


@exercise.alternative
def by_doubling(x, dt, A, B, C, D):
    a = torch.exp(dt[..., None] * A)
    h = (dt * x)[..., None] * B[:, :, None, :]
    step = 1
    while step < x.shape[1]:
        h = torch.cat([h[:, :step], h[:, step:] + a[:, step:] * h[:, :-step]], 1)
        a = torch.cat([a[:, :step], a[:, step:] * a[:, :-step]], 1)
        step *= 2
    return (h * C[:, :, None, :]).sum(-1) + x * D


@exercise.alternative
def channel_by_channel(x, dt, A, B, C, D):
    columns = []
    for e in range(x.shape[2]):
        state, column = 0.0, []
        for x_t, dt_t, B_t, C_t in zip(x[..., e].unbind(1), dt[..., e].unbind(1), B.unbind(1), C.unbind(1)):  # noqa: B905
            state = state * (dt_t[:, None] * A[e]).exp() + (dt_t * x_t)[:, None] * B_t
            column.append((state * C_t).sum(1) + D[e] * x_t)
        columns.append(torch.stack(column, 1))
    return torch.stack(columns, 2)


@exercise.special("a history that forgets all of its beginning")
def forgetful(draw):
    sizes = {"b": 1, "l": 12, "e": 2, "n": 2}
    values = {name: argument.draw(draw, sizes) for name, argument in exercise.arguments.items()}
    values["dt"][:, 2:10] = 100.0  # too much for exp of their sum, while the ends still fade as usual
    return values | {"A": torch.full_like(values["A"], -1.0)}


READ = '        outputs.append(einsum(state, C[:, t], "b e n, b n -> b e") + D * x[:, t])\n'
exercise.slips(
    ("B and C exchanged", "B and C are exchanged: B writes into the state, C reads from it.",
     ("* B[:, t, None, :]", "* C[:, t, None, :]"), ("(state, C[:, t]", "(state, B[:, t]")),
    ("read before writing", "The state is read before event l is written into it: an event sees itself only through D.",
     ("        state = decay", f"{READ}        state = decay"), (f"+ written\n{READ}    "
                                                                 f"return", "+ written\n    return")),
    ("decay shifted by one event", "The decay acts after writing: what event l writes has faded already when it "
                                   "is read.",
     ("decay * state + written", "decay * (state + written)")),
    ("decay of the event before", "The old state fades by the dt of the event before, not by the dt of event l itself.",
     ("torch.exp(dt[:, t, :, None] * A)", "torch.exp(dt[:, max(t - 1, 0), :, None] * A)")),
    ("exponential missing", "The state is multiplied by dt·A instead of exp(dt·A): an exponential is missing.",
     ("torch.exp(dt[:, t, :, None] * A)", "dt[:, t, :, None] * A")),
    ("one step of Euler", "The decay is 1 + dt·A, its first-order approximation: only B is taken by Euler, A is not.",
     ("torch.exp(dt[:, t, :, None] * A)", "1 + dt[:, t, :, None] * A")),
    ("sign of A turned round", "The state grows instead of fading: A is negative already, so exp(dt·A) needs no minus.",
     ("torch.exp(dt", "torch.exp(-dt")),
    ("A taken as its logarithm", "A goes through -exp again: it arrives negative, that was applied already.",
     (", :, None] * A)", ", :, None] * -torch.exp(A))")),
    ("softplus twice", "dt goes through softplus again: it arrives positive, softplus is already applied.",
     ("    for t in", "    dt = torch.log1p(dt.exp())\n    for t in")),
    ("dt missing in the input", "What is written is x·B without dt: the step scales the input as well as the decay.",
     ("(dt[:, t] * x[:, t])[", "x[:, t][")),
    ("dt missing in the decay", "The decay is exp(A) at every event: the step size dt is missing in it.",
     ("torch.exp(dt[:, t, :, None] * A)", "torch.exp(A)")),
    ("zero-order hold of B", "The input is written with (exp(dt·A) - 1)/A, the exact rule; Mamba writes dt·B.",
     ("(dt[:, t] * x[:, t])[:, :, None] * B", "(decay - 1) / A * x[:, t][:, :, None] * B")),
    ("nothing carried over", "The state of the event before is thrown away: every event sees only itself.",
     ("decay * state + written", "written")),
    ("no decay", "The state never fades: exp(dt·A) is missing.", ("decay * state + written", "state + written")),
    ("skip missing", "The skip D·x is missing from the result.", (" + D * x[:, t]", "")),
    ("skip carried in the state", "D·x is fed into the state and fades there; it belongs to the result of its "
                                  "event only.",
     (" + D * x[:, t]", ""), ("[:, t, None, :]\n", "[:, t, None, :] + (D * x[:, t])[:, :, None]\n")),
    ("future read", "It walks along l from the end: every event sees those after it.",
     ("for t in range(x.shape[1]):", "for t in reversed(range(x.shape[1])):"),
     ("torch.stack(outputs", "torch.stack(outputs[::-1]")),
    ("one decay for all channels", "All channels fade alike: dt is averaged over e, and each channel should use "
                                   "its own.",
     ("torch.exp(dt[:, t, :, None] * A)", "torch.exp(dt[:, t].mean(1)[:, None, None] * A)")),
)  # fmt: skip


@exercise.mistake(
    "divided by the running decay",
    "The decay from s to t is taken as a quotient of two running products: over a long history both become 0, or one "
    "infinite. Carry the state along, or take the exponential of a difference.",
)
def divided_by_the_running_decay(x, dt, A, B, C, D):
    total = dt.cumsum(1)[..., None] * A
    written = (dt * x)[..., None] * B[:, :, None, :]
    state = (written * torch.exp(-total)).cumsum(1) * torch.exp(total)
    return einsum(state, C, "b l e n, b l n -> b l e") + D * x
