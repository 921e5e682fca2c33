"""From a continuous state space to one step: the input held still for a while."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import between, normal, positive

exercise = Exercise(
    "zero_order_hold",
    title="Discretise by holding the input",
    goal="Turn rates per second into factors per step, exactly, also where the rate is 0.",
    notebook="02_state_spaces",
    minutes=15,
    difficulty="medium",
    points=3,
    arguments={"A": between("n", -2, -0.1), "B": normal("n"), "dt": positive("l")},
    result=("l n", "l n"),
    gradients=("B",),
    hints=(
        "Solve x' = A x + B u over a step dt with u held still. Without input the state is multiplied by exp(dt·A).",
        "B̄ is the integral of exp(s A) B over s from 0 to dt, which is (exp(dt·A) - 1) / A · B.",
        "exp(z) - 1 loses its digits for small z: torch.expm1(z) keeps them.",
        "At A = 0 the integral is dt·B. torch.where needs a harmless divisor in the branch that is thrown away.",
    ),
)


@exercise.solution
def zero_order_hold(A, B, dt):
    """Ā = exp(dt A), B̄ = (exp(dt A) - 1)/A · B, so that x[t] = Ā x[t-1] + B̄ u[t] is exact for a held input.

    A, B "n" (a diagonal; A may be 0, where B̄ = dt B), dt "l" (positive)  ->  Ā "l n", B̄ "l n"
    """
    z = dt[:, None] * A
    A_bar = torch.exp(z)
    zero = A == 0
    divisor = torch.where(zero, 1, A)
    held = torch.where(zero, dt[:, None], torch.expm1(z) / divisor)
    return A_bar, held * B


@exercise.alternative
def by_series_near_zero(A, B, dt):
    z = torch.outer(dt, A)
    small = z.abs() < 1e-3
    phi = torch.where(small, 1 + z / 2 + z**2 / 6, torch.expm1(z) / torch.where(small, 1, z))
    return z.exp(), phi * dt[:, None] * B


@exercise.alternative
def by_matrix_exponential(A, B, dt):
    first, second = [], []
    for step in dt:
        block = torch.zeros(len(A), 2, 2, dtype=A.dtype)
        block[:, 0, 0], block[:, 0, 1] = A, 1
        block = torch.linalg.matrix_exp(step * block)
        first.append(block[:, 0, 0])
        second.append(block[:, 0, 1] * B)
    return torch.stack(first), torch.stack(second)


@exercise.alternative
def rate_by_rate(A, B, dt):
    columns = [dt * b if float(a) == 0 else torch.expm1(a * dt) / a * b for a, b in zip(A, B)]  # noqa: B905
    return torch.exp(A * dt.unsqueeze(1)), torch.stack(columns, 1)


@exercise.special("a rate of 0 and a very slow one")
def still(draw):
    one = torch.ones(4, dtype=torch.float64)
    return {"A": torch.tensor([0.0, -1e-9, -4e-4, -1.0]).double(), "B": one, "dt": torch.tensor([0.5, 2.0]).double()}


exercise.slips(
    ("Euler for B", "B̄ is dt·B, the rule that Mamba uses for its input: the held input fades while it comes in.",
     ("return A_bar, held * B", "return A_bar, dt[:, None] * B")),
    ("Euler for both", "Ā is 1 + dt·A and B̄ is dt·B: first-order approximations, asked for is the exact step.",
     ("torch.exp(z)", "1 + z"), ("held * B", "dt[:, None] * B")),
    ("bilinear rule", "Ā and B̄ follow the bilinear rule, with the slope at both ends of the step.",
     ("torch.exp(z)", "(1 + z / 2) / (1 - z / 2)"), ("held * B", "dt[:, None] * B / (1 - z / 2)")),
    ("0/0 at a rate of 0", "Where A is 0 the result is 0/0: there B̄ is dt·B.",
     ("divisor = torch.where(zero, 1, A)", "divisor = A"), ("torch.where(zero, dt[:, None], torch.expm1(z) / "
                                                            "divisor)", "torch.expm1(z) / divisor")),
    ("digits lost at slow rates", "exp(z) - 1 loses its digits where z is small: torch.expm1 keeps them.",
     ("torch.expm1(z)", "(torch.exp(z) - 1)")),
    ("rate of 0 without input", "Where A is 0 nothing is written: there B̄ is dt·B.",
     ("torch.where(zero, dt[:, None],", "torch.where(zero, 0,")),
    ("divided by A and dt", "B̄ is divided by dt·A: without its dt it does not grow with the step.",
     ("/ divisor)", "/ (dt[:, None] * divisor))"), ("zero, dt[:, None]", "zero, 1")),
    ("B left out", "The second result is without B.", ("held * B", "held")),
    ("not divided by A", "B̄ is (exp(dt·A) - 1) B: the division by A is missing.",
     ("torch.expm1(z) / divisor", "torch.expm1(z)")),
    ("sign of A turned round", "The state grows instead of fading: A is negative "
                               "already.", ("z = dt[:, None] * A", "z = -dt[:, None] * A")),
    ("exponential missing", "Ā is dt·A: the exponential is missing.", ("A_bar = torch.exp(z)", "A_bar = z")),
    ("step left out", "Ā is exp(A) at every event: the step dt is missing in it.",
     ("torch.exp(z)", "torch.exp(A).expand_as(z)")),
    ("results exchanged", "The two results come in the wrong order: Ā first, then B̄.",
     ("A_bar, held * B", "held * B, A_bar")),
)  # fmt: skip
