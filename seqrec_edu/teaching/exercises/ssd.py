"""The recurrence of Mamba-2, event by event."""

import torch
from einops import einsum

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import between, normal, positive

exercise = Exercise(
    "ssd",
    title="The state space of Mamba-2",
    goal="Write the recurrence whose decay is one number per head and event.",
    notebook="04_duality",
    minutes=20,
    difficulty="medium",
    points=4,
    arguments={
        "x": normal("b l h p"),
        "dt": positive("b l h"),
        "A": between("h", -1.5, -0.2),
        "B": normal("b l h n"),
        "C": normal("b l h n"),
    },
    result="b l h p",
    gradients=("x", "dt", "A", "B", "C"),
    own=("ops._ssd", "ops._selective_scan", "layers.ssd", "lens.views"),
    hints=(
        "Keep a state of shape b h p n, zero before the first event, and walk along l.",
        "At event l the old state is multiplied by exp(dt·A), one number per head; then dt·x·Bᵀ is added.",
        "Read after writing: y = state · C, summed over n, with the state that already holds event l.",
        "One line of the loop: state = decay[:, :, None, None] * state + einsum(dt_t, x_t, B_t, …), where dt_t is b h.",
    ),
)


@exercise.solution
def ssd(x, dt, A, B, C):
    """H[t] = exp(dt[t] A) H[t-1] + dt[t] x[t] B[t]ᵀ,  y[t] = H[t] C[t],  with H = 0 before the first event.

    x "b l h p", dt "b l h" (positive), A "h" (negative), B and C "b l h n"  ->  y "b l h p"
    """
    state = x.new_zeros(x.shape[0], x.shape[2], x.shape[3], B.shape[3])
    outputs = []
    for t in range(x.shape[1]):
        decay = torch.exp(dt[:, t] * A)
        written = einsum(dt[:, t], x[:, t], B[:, t], "b h, b h p, b h n -> b h p n")
        state = decay[:, :, None, None] * state + written
        outputs.append(einsum(state, C[:, t], "b h p n, b h n -> b h p"))
    return torch.stack(outputs, dim=1)


@exercise.alternative
def as_masked_attention(x, dt, A, B, C):
    total = (dt * A).cumsum(1)
    between = total[:, :, None] - total[:, None]
    future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    L = torch.exp(between.masked_fill(future[None, :, :, None], -torch.inf))
    return einsum(L, C, B, dt, x, "b t s h, b t h n, b s h n, b s h, b s h p -> b t h p")


@exercise.alternative
def state_by_state(x, dt, A, B, C):
    y = torch.zeros_like(x)
    for n in range(B.shape[3]):
        state = torch.zeros_like(x[:, 0])
        rows = []
        for x_t, dt_t, B_t, C_t in zip(
            x.unbind(1), dt.unbind(1), B[..., n].unbind(1), C[..., n].unbind(1), strict=True
        ):
            state = (dt_t * A).exp().unsqueeze(-1) * state + (dt_t * B_t).unsqueeze(-1) * x_t
            rows.append(C_t.unsqueeze(-1) * state)
        y = y + torch.stack(rows, 1)
    return y


@exercise.alternative
def unrolled(x, dt, A, B, C):
    rows = []
    for t in range(x.shape[1]):
        row, decay = 0, torch.ones_like(dt[:, 0])
        for s in range(t, -1, -1):
            weight = decay * dt[:, s] * (C[:, t] * B[:, s]).sum(-1)
            row = row + weight[..., None] * x[:, s]
            decay = decay * torch.exp(dt[:, s] * A)
        rows.append(row)
    return torch.stack(rows, 1)


@exercise.special("a history that forgets all of its beginning")
def forgetful(draw):
    sizes = {"b": 1, "l": 12, "h": 1, "p": 2, "n": 2}
    values = {name: argument.draw(draw, sizes) for name, argument in exercise.arguments.items()}
    values["dt"][:, 2:10] = 100.0  # too much for exp of their sum, while the ends still fade as usual
    return values | {"A": torch.full_like(values["A"], -1.0)}


READ = '        outputs.append(einsum(state, C[:, t], "b h p n, b h n -> b h p"))\n'
exercise.slips(
    ("B and C exchanged", "B and C are exchanged: B writes into the state, C reads from it.",
     ("x[:, t], B[:, t]", "x[:, t], C[:, t]"), ("(state, C[:, t]", "(state, B[:, t]")),
    ("read before writing", "The state is read before event l is written into it: an event does not see itself.",
     ("        state = decay", f"{READ}        state = decay"), (f"+ written\n{READ}    "
                                                                 f"return", "+ written\n    return")),
    ("decay shifted by one event", "The decay acts after writing: what event l writes has faded already when it "
                                   "is read.",
     ("[:, :, None, None] * state + written", "[:, :, None, None] * (state + written)")),
    ("decay of the event before", "The old state fades by the dt of the event before, not by the dt of event l itself.",
     ("torch.exp(dt[:, t] * A)", "torch.exp(dt[:, max(t - 1, 0)] * A)")),
    ("exponential missing", "The state is multiplied by dt·A instead of exp(dt·A): an exponential is missing.",
     ("torch.exp(dt[:, t] * A)", "dt[:, t] * A")),
    ("one step of Euler", "The decay is 1 + dt·A, its first-order approximation: it becomes negative at large steps.",
     ("torch.exp(dt[:, t] * A)", "1 + dt[:, t] * A")),
    ("sign of A turned round", "The state grows instead of fading: A is negative already, so exp(dt·A) needs no minus.",
     ("torch.exp(dt[:, t] * A)", "torch.exp(-dt[:, t] * A)")),
    ("softplus twice", "dt goes through softplus again: it arrives positive, softplus is already applied.",
     ("    for t in", "    dt = torch.log1p(dt.exp())\n    for t in")),
    ("dt missing in the input", "What is written is x Bᵀ without dt: the step scales the input as well as the decay.",
     ("einsum(dt[:, t], x[:, t], B[:, t], \"b h, b h p", "einsum(x[:, t], B[:, t], \"b h p")),
    ("dt missing in the decay", "The decay is exp(A) at every event: the step size dt is missing in it.",
     ("torch.exp(dt[:, t] * A)", "torch.exp(A).expand_as(dt[:, t])")),
    ("nothing carried over", "The state of the event before is thrown away: every event sees only itself.",
     ("decay[:, :, None, None] * state + written", "written")),
    ("no decay", "The state never fades: exp(dt·A) is missing.",
     ("decay[:, :, None, None] * state + written", "state + written")),
    ("future read", "It walks along l from the end: every event sees those after it.",
     ("for t in range(x.shape[1]):", "for t in reversed(range(x.shape[1])):"),
     ("torch.stack(outputs", "torch.stack(outputs[::-1]")),
    ("order of events turned round", "It walks along l from the end and leaves the results in that order.",
     ("for t in range(x.shape[1]):", "for t in reversed(range(x.shape[1])):")),
    ("one decay for all heads", "All heads fade alike: A is averaged over h, and each head should use its own.",
     ("torch.exp(dt[:, t] * A)", "torch.exp(dt[:, t] * A.mean())")),
    ("input kept out by the decay", "The input is weighted by 1 - decay: that is a moving average, not dt·x·Bᵀ.",
     ("einsum(dt[:, t], x", "einsum(1 - decay, x")),
)  # fmt: skip


@exercise.mistake(
    "divided by the running decay",
    "The decay from s to t is taken as a quotient of two running products: over a long history both become 0, or one "
    "infinite. Carry the state along, or take the exponential of a difference.",
)
def divided_by_the_running_decay(x, dt, A, B, C):
    total = (dt * A).cumsum(1)[..., None, None]
    written = einsum(dt, x, B, "b l h, b l h p, b l h n -> b l h p n")
    state = (written * torch.exp(-total)).cumsum(1) * torch.exp(total)
    return einsum(state, C, "b l h p n, b l h n -> b l h p")
