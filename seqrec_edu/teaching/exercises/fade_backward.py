"""The backward pass of a fading sum, by hand."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.guard import AUTOGRAD
from seqrec_edu.teaching.inputs import between, normal, positive

exercise = Exercise(
    "fade_backward",
    title="The way back",
    goal="Write the four gradients of a fading sum without autograd.",
    notebook="10_equations_to_kernels",
    minutes=20,
    difficulty="medium",
    points=4,
    arguments={
        "dy": normal("b l e"),
        "x": normal("b l e"),
        "dt": positive("b l e"),
        "A": between("e", -1.5, -0.2),
        "D": normal("e"),
    },
    result=("b l e", "b l e", "e", "e"),
    own=("ops._selective_scan", "ops._ssd", *AUTOGRAD),
    hints=(
        "First the states again, along l; then g, the gradient to h, from the last event to the first.",
        "h[t] is used twice: in y[t], and in h[t+1] times the decay of event t+1. So g[t] = dy[t] + a[t+1] g[t+1].",
        "h[t] = a[t] h[t-1] + dt[t] x[t]. dt[t] stands in both terms, so its gradient has two; the decay's has "
        "h[t-1], the state before event t, 0 for the first.",
        "With q = a · g · h[t-1]: dx = dt·g + D·dy, ddt = x·g + A·q, dA = Σ dt·q and dD = Σ x·dy, summed over b and l.",
    ),
)


@exercise.solution
def fade_backward(dy, x, dt, A, D):
    """Gradients of h[t] = exp(dt[t] A) h[t-1] + dt[t] x[t],  y[t] = h[t] + D x[t], given dy = the gradient to y.

    dy, x, dt "b l e" (dt positive), A, D "e" (A negative)  ->  dx "b l e", ddt "b l e", dA "e", dD "e"
    """
    a = torch.exp(dt * A)
    h, before = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        before.append(h)
        h = a[:, t] * h + dt[:, t] * x[:, t]
    carried, g = torch.zeros_like(h), torch.zeros_like(x)
    for t in reversed(range(x.shape[1])):
        g[:, t] = dy[:, t] + carried
        carried = a[:, t] * g[:, t]
    q = a * g * torch.stack(before, 1)
    return dt * g + D * dy, x * g + A * q, (dt * q).sum((0, 1)), (x * dy).sum((0, 1))


@exercise.alternative
def as_matrix(dy, x, dt, A, D):
    total = (dt * A).cumsum(1)
    between_two = total[:, :, None] - total[:, None]
    future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    L = torch.exp(between_two.masked_fill(future[None, :, :, None], -torch.inf))
    h = torch.einsum("btse,bse->bte", L, dt * x)
    g = torch.einsum("btse,bte->bse", L, dy)
    q = g * (h - dt * x)
    return dt * g + D * dy, x * g + A * q, (dt * q).sum(dim=(0, 1)), (x * dy).sum(dim=(0, 1))


@exercise.alternative
def time_turned_round(dy, x, dt, A, D):
    def faded(kept, added):
        state, states = 0.0, []
        for kept_t, added_t in zip(kept.unbind(1), added.unbind(1), strict=True):
            state = kept_t * state + added_t
            states.append(state)
        return torch.stack(states, 1)

    a = torch.exp(dt * A)
    later = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1)
    g = faded(later.flip(1), dy.flip(1)).flip(1)
    q = g * (faded(a, dt * x) - dt * x)
    return g * dt + dy * D, g * x + q * A, torch.einsum("ble,ble->e", q, dt), torch.einsum("ble,ble->e", dy, x)


@exercise.alternative
def in_one_walk_back(dy, x, dt, A, D):
    states = [torch.zeros_like(A).expand_as(x[:, 0])]
    for x_t, dt_t in zip(x.unbind(1), dt.unbind(1), strict=True):
        states.append((dt_t * A).exp() * states[-1] + dt_t * x_t)
    after, dA, dD, dx, ddt = 0.0, 0.0, 0.0, [], []
    for t in range(x.shape[1] - 1, -1, -1):
        g_t = dy[:, t] + after
        after = torch.exp(dt[:, t] * A) * g_t
        dx.insert(0, dt[:, t] * g_t + D * dy[:, t])
        ddt.insert(0, x[:, t] * g_t + A * after * states[t])
        dA = dA + (dt[:, t] * after * states[t]).sum(0)
        dD = dD + (dy[:, t] * x[:, t]).sum(0)
    return torch.stack(dx, 1), torch.stack(ddt, 1), dA, dD


exercise.slips(
    ("nothing carried back", "g is dy alone: h[t] is also used in h[t+1], so a[t+1] g[t+1] is missing.",
     ("dy[:, t] + carried", "dy[:, t]")),
    ("decay shifted by one event", "The gradient fades by the decay of the event it arrives at: from t+1 to t it "
                                   "passes a[t+1].",
     ("g[:, t] = dy[:, t] + carried", "g[:, t] = dy[:, t] + a[:, t] * carried"),
     ("carried = a[:, t] * g[:, t]", "carried = g[:, t]")),
    ("decay missing on the way back", "The gradient never fades: g[t] = dy[t] + a[t+1] g[t+1], here without a[t+1].",
     ("carried = a[:, t] * g[:, t]", "carried = g[:, t]")),
    ("walked from the first event", "g is collected from the first event on: it comes from the last one, against "
                                    "time.",
     ("for t in reversed(range(x.shape[1])):", "for t in range(x.shape[1]):")),
    ("only the last event's decay carried", "Only the event right after is taken into account: g[t+1] holds all "
                                            "later ones already.",
     ("carried = a[:, t] * g[:, t]", "carried = a[:, t] * dy[:, t]")),
    ("state after the event", "The decay of event t acts on the state before it, h[t-1]; here stands h[t].",
     ("        before.append(h)\n", ""),
     ("+ dt[:, t] * x[:, t]\n", "+ dt[:, t] * x[:, t]\n        before.append(h)\n")),
    ("state from the end before the first", "Before the first event stands the last state: shifting by roll puts it "
                                            "there. It is 0.",
     ("        before.append(h)\n", ""),
     ("+ dt[:, t] * x[:, t]\n", "+ dt[:, t] * x[:, t]\n        before.append(h)\n"),
     ("torch.stack(before, 1)", "torch.stack(before, 1).roll(1, 1)")),
    ("order of events turned round", "g is in the order of the walk, from the last event to the first: turn it round "
                                     "before it meets x and dt.",
     ("q = a * g * torch.stack(before, 1)", "q = a * g * torch.stack(before, 1)\n    g = g.flip(1)")),
    ("state without its decays", "The states are plain sums: on the way forward exp(dt·A) is missing.",
     ("h = a[:, t] * h +", "h = h +")),
    ("skip forgotten in dx", "x also reaches y past the state: D·dy is missing in dx.", (" + D * dy", "")),
    ("skip through the state", "The skip uses g: D x[t] goes into y[t] only, so it is D·dy.",
     ("D * dy,", "D * g,")),
    ("dx without the later events", "dx uses dy where g belongs: x[t] is in the state of all later events.",
     ("dt * g +", "dt * dy +")),
    ("dt missing in dx", "x is written times dt: dx = dt·g + D·dy.", ("dt * g +", "g +")),
    ("fading forgotten in ddt", "dt writes and fades: A·a·g·h[t-1] is missing in ddt.", (" + A * q", "")),
    ("writing forgotten in ddt", "dt writes and fades: x·g is missing in ddt.", ("x * g + A * q", "A * q")),
    ("A missing in ddt", "The derivative of exp(dt·A) by dt is A·exp(dt·A): the factor A is missing in ddt.",
     ("A * q,", "q,")),
    ("dt missing in dA", "The derivative of exp(dt·A) by A is dt·exp(dt·A): the factor dt is missing in dA.",
     ("(dt * q)", "q")),
    ("A and dt exchanged", "A and dt are exchanged beside q: the derivative of exp(dt·A) by dt has the factor A, that "
                           "by A the factor dt.",
     ("A * q,", "dt * q,"), ("(dt * q).sum", "(A * q).sum")),
    ("one gradient per history", "dA and dD are summed over l, but not over b: A and D are the same for all histories.",
     ("(dt * q).sum((0, 1)), (x * dy).sum((0, 1))", "(dt * q).sum(1), (x * dy).sum(1)")),
    ("decay missing in its own derivative", "The derivative of exp(dt·A) keeps exp(dt·A) as a factor: a is missing "
                                            "beside g·h[t-1].",
     ("q = a * g", "q = g")),
    ("dD through the state", "dD uses g: D stands in y[t] only, so dD = Σ x·dy.", ("(x * dy)", "(x * g)")),
    ("dA of one history", "dA is that of the last history: A is the same for all, so it is summed over b as well.",
     ("(dt * q).sum((0, 1))", "(dt * q)[-1].sum(0)")),
    ("dD of one history", "dD is that of the last history: D is the same for all, so it is summed over b as well.",
     ("(x * dy).sum((0, 1))", "(x * dy)[-1].sum(0)")),
    ("mean over the histories", "dA and dD are means over b: a gradient is a sum over all places where a number "
                                "is used.",
     ("(dt * q).sum((0, 1))", "(dt * q).sum(1).mean(0)"), ("(x * dy).sum((0, 1))", "(x * dy).sum(1).mean(0)")),
    ("exponential missing", "The state is multiplied by dt·A instead of exp(dt·A): an exponential is missing.",
     ("torch.exp(dt * A)", "dt * A")),
    ("dA and dD exchanged", "dA and dD are exchanged: the order is dx, ddt, dA, dD.",
     ("(dt * q).sum((0, 1)), (x * dy).sum((0, 1))", "(x * dy).sum((0, 1)), (dt * q).sum((0, 1))")),
    ("dx and ddt exchanged", "dx and ddt are exchanged: the order is dx, ddt, dA, dD.",
     ("dt * g + D * dy, x * g + A * q", "x * g + A * q, dt * g + D * dy")),
)  # fmt: skip


@exercise.mistake(
    "states divided back",
    "The states are computed back from the last one by dividing by the decays, and rounding errors grow with every "
    "division. Keep the states on the way forward, or compute them again.",
)
def divided_back(dy, x, dt, A, D):
    a = torch.exp(dt * A)
    h = torch.zeros_like(x[:, 0])
    for t in range(x.shape[1]):
        h = a[:, t] * h + dt[:, t] * x[:, t]
    carried, g, q = torch.zeros_like(h), torch.zeros_like(x), torch.zeros_like(x)
    for t in reversed(range(x.shape[1])):
        g[:, t] = dy[:, t] + carried
        carried = a[:, t] * g[:, t]
        h = (h - dt[:, t] * x[:, t]) / a[:, t]
        q[:, t] = carried * h
    return dt * g + D * dy, x * g + A * q, (dt * q).sum((0, 1)), (x * dy).sum((0, 1))
