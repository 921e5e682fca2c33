"""The selective scan that goes on from a state: one history read in two sittings."""

import torch
from einops import einsum

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import between, normal, positive

exercise = Exercise(
    "scan_from",
    title="Carry on where you stopped",
    goal="Write the selective scan so that it begins with a given state and hands over the last one.",
    notebook="03_selection",
    minutes=10,
    difficulty="medium",
    points=3,
    arguments={
        "x": normal("b l e"),
        "dt": positive("b l e"),
        "A": between("e n", -1.5, -0.2),
        "B": normal("b l n"),
        "C": normal("b l n"),
        "state": normal("b e n"),
    },
    result=("b l e", "b e n"),
    gradients=("x", "dt", "A", "B", "C", "state"),
    own=("ops._selective_scan", "ops._ssd", "layers.mamba", "lens.views"),
    hints=(
        "Nothing in the loop changes. What differs is the value of the state before it, and what is returned.",
        "The given state fades at the first event already: h[0] = exp(dt[0]·A) · state + what is written.",
        "Return two tensors: y \"b l e\" and the state as it is after the last event, \"b e n\".",
        "In parallel: the product of the decays up to t, times the given state, is what is left of it at t. Add it "
        "to what the scan from zero gives.",
    ),
)  # fmt: skip


@exercise.solution
def scan_from(x, dt, A, B, C, state):
    """H[t] = exp(dt[t] A) H[t-1] + dt[t] x[t] B[t],  y[t] = Σₙ H[t] C[t],  with H = state before the first event.

    x, dt "b l e" (dt positive), A "e n" (negative), B, C "b l n", state "b e n"  ->  y "b l e", last H "b e n"
    """
    outputs = []
    for t in range(x.shape[1]):
        decay = torch.exp(dt[:, t, :, None] * A)
        written = (dt[:, t] * x[:, t])[:, :, None] * B[:, t, None, :]
        state = decay * state + written
        outputs.append(einsum(state, C[:, t], "b e n, b n -> b e"))
    return torch.stack(outputs, dim=1), state


@exercise.alternative
def from_zero_and_the_rest(x, dt, A, B, C, state):
    total = dt.cumsum(1)
    left = torch.exp(total[..., None] * A) * state[:, None]
    elapsed = total[:, :, None] - total[:, None]
    future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    decay = torch.exp((elapsed[..., None] * A).masked_fill(future[None, :, :, None, None], -torch.inf))
    H = left + einsum(decay, B, dt * x, "b t s e n, b s n, b s e -> b t e n")
    return (H * C.unsqueeze(2)).sum(3), H[:, -1]


@exercise.alternative
def state_as_an_event(x, dt, A, B, C, state):
    a = torch.exp(dt[..., None] * A)
    h = torch.cat([state[:, None], (dt * x)[..., None] * B[:, :, None, :]], 1)
    a = torch.cat([torch.ones_like(state)[:, None], a], 1)
    step = 1
    while step < h.shape[1]:
        h = torch.cat([h[:, :step], h[:, step:] + a[:, step:] * h[:, :-step]], 1)
        a = torch.cat([a[:, :step], a[:, step:] * a[:, :-step]], 1)
        step *= 2
    return torch.einsum("blen,bln->ble", h[:, 1:], C), h[:, -1]


@exercise.alternative
def number_by_number(x, dt, A, B, C, state):
    y, last = 0, []
    for n in range(A.shape[1]):
        h, column = state[..., n], []
        for x_t, dt_t, B_t, C_t in zip(x.unbind(1), dt.unbind(1), B[..., n].unbind(1), C[..., n].unbind(1)):  # noqa: B905
            h = (dt_t * A[:, n]).exp() * h + dt_t * x_t * B_t[:, None]
            column.append(h * C_t[:, None])
        y, last = y + torch.stack(column, 1), [*last, h]
    return y, torch.stack(last, 2)


LOOP = "    for t in range(x.shape[1]):\n"
READ = '        outputs.append(einsum(state, C[:, t], "b e n, b n -> b e"))\n'
DECAY = "torch.exp(dt[:, t, :, None] * A)"
exercise.slips(
    ("begun at zero", "It begins with zeros: the state that was handed in is not used.",
     (LOOP, f"    state = torch.zeros_like(state)\n{LOOP}")),
    ("given state not faded", "The first event adds to the given state without fading it: it is h before event 0, "
                              "so event 0 multiplies it by exp(dt·A) like any other.",
     ("state = decay * state + written", "state = (decay if t else 1) * state + written")),
    ("given state returned", "What is returned as the last state is the one that came in: it should be the state "
                             "after the last event.",
     (LOOP, f"    given = state\n{LOOP}"), ("dim=1), state", "dim=1), given")),
    ("state before the last event", "The state is returned as it was before the last event: whoever goes on from "
                                    "there misses one event.",
     (LOOP, f"    earlier = state\n{LOOP}        earlier = state\n"), ("dim=1), state", "dim=1), earlier")),
    ("last state faded again", "The last state is faded once more before it is returned: the next sitting's first "
                               "event does that.",
     ("dim=1), state", "dim=1), decay * state")),
    ("state after the first event", "The state is returned as it is after the first event, not after the last.",
     (READ, f"{READ}        first = state if t == 0 else first\n"), ("dim=1), state", "dim=1), first")),
    ("given state missing in the last", "y is right, but the last state holds only what these events wrote: what is "
                                        "left of the given state belongs to it too.",
     (LOOP, f"    own = torch.zeros_like(state)\n{LOOP}"),
     ("        state = decay", "        own = decay * own + written\n        state = decay"),
     ("dim=1), state", "dim=1), own")),
    ("given state missing in y", "The last state is right, but y is read from a state that began at zero.",
     (LOOP, f"    own = torch.zeros_like(state)\n{LOOP}"),
     ("        state = decay", "        own = decay * own + written\n        state = decay"),
     ("einsum(state, C", "einsum(own, C")),
    ("given state added at every event", "The given state is put in again at every event: it is there once, before "
                                         "the first.",
     (LOOP, f"    given, state = state, torch.zeros_like(state)\n{LOOP}"),
     ("state = decay * state + written", "state = decay * (state + given) + written")),
    ("given state never fades", "The given state is added to every event's result unfaded: at event t it has been "
                                "multiplied by all decays up to t.",
     (LOOP, f"    given, state = state, torch.zeros_like(state)\n{LOOP}"),
     ("einsum(state, C[:, t]", "einsum(state + given, C[:, t]"), ("dim=1), state", "dim=1), state + given")),
    ("given state added at the end", "The scan begins at zero, and the given state is added to the last one: it "
                                     "belongs before the first event, where every y reads it and every event fades it.",
     (LOOP, f"    given, state = state, torch.zeros_like(state)\n{LOOP}"), ("dim=1), state", "dim=1), state + given")),
    ("given state faded once", "The given state is faded by event t's own decay only: at event t it has been "
                               "multiplied by all decays up to t.",
     (LOOP, f"    given, state = state, torch.zeros_like(state)\n{LOOP}"),
     ("einsum(state, C[:, t]", "einsum(state + decay * given, C[:, t]"),
     ("dim=1), state", "dim=1), state + decay * given")),
    ("one state for all histories", "All histories begin with the first one's state: each row of the batch has its "
                                    "own.",
     (LOOP, f"    state = state[:1].expand_as(state)\n{LOOP}")),
    ("B and C exchanged", "B and C are exchanged: B writes into the state, C reads from it.",
     ("* B[:, t, None, :]", "* C[:, t, None, :]"), ("(state, C[:, t]", "(state, B[:, t]")),
    ("read before writing", "The state is read before event l is written into it: an event does not see itself.",
     ("        state = decay", f"{READ}        state = decay"),
     (f"+ written\n{READ}    return", "+ written\n    return")),
    ("decay shifted by one event", "The decay acts after writing: what event l writes has faded already when it is "
                                   "read.",
     ("decay * state + written", "decay * (state + written)")),
    ("exponential missing", "The state is multiplied by dt·A instead of exp(dt·A): an exponential is missing.",
     (DECAY, "dt[:, t, :, None] * A")),
    ("sign of A turned round", "The state grows instead of fading: A is negative already, so exp(dt·A) needs no minus.",
     (DECAY, "torch.exp(-dt[:, t, :, None] * A)")),
    ("dt missing in the input", "What is written is x·B without dt: the step scales the input as well as the decay.",
     ("(dt[:, t] * x[:, t])[", "x[:, t][")),
    ("nothing carried over", "The state of the event before is thrown away: every event sees only itself.",
     ("decay * state + written", "written")),
    ("no decay", "The state never fades: exp(dt·A) is missing.", ("decay * state + written", "state + written")),
    ("future read", "It walks along l from the end: every event sees those after it, and the given state meets the "
                    "last event first.",
     ("for t in range(x.shape[1]):", "for t in reversed(range(x.shape[1])):"),
     ("torch.stack(outputs", "torch.stack(outputs[::-1]")),
)  # fmt: skip
