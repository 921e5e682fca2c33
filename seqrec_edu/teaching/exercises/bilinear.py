"""From a continuous state space to one step: the slope at both ends of it."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument, between, normal


def fading(draw, sizes):
    """A matrix that turns and fades: its symmetric part has negative eigenvalues, so that no step is singular."""
    free = torch.randn(sizes["n"], sizes["n"], generator=draw, dtype=torch.float64)
    return free - free.mT - 0.3 * free @ free.mT - 0.2 * torch.eye(sizes["n"], dtype=torch.float64)


exercise = Exercise(
    "bilinear",
    title="A rule of second order",
    goal="Take one step with the slope at both of its ends, which is stable at every step length.",
    notebook="02_state_spaces",
    minutes=10,
    difficulty="easy",
    points=3,
    arguments={"A": Argument("n n", fading), "B": normal("n"), "dt": between("", 0.2, 1.2)},
    result=("n n", "n"),
    gradients=("A", "B", "dt"),
    hints=(
        "Half of the step is taken with the slope at its beginning, half with the slope at its end.",
        "left = I - dt/2 · A and right = I + dt/2 · A, where I is torch.eye(len(A), dtype=A.dtype) and not 1.",
        "left⁻¹ right is the solution of left · X = right: torch.linalg.solve(left, right).",
        "The input goes through the same inverse: torch.linalg.solve(left, dt * B).",
    ),
)


@exercise.solution
def bilinear(A, B, dt):
    """Ā = (I - dt/2 A)⁻¹ (I + dt/2 A),  B̄ = (I - dt/2 A)⁻¹ dt B, so that x[t] = Ā x[t-1] + B̄ u[t].

    A "n n" (any matrix), B "n", dt a tensor without axes  ->  Ā "n n", B̄ "n", in the dtype of A
    """
    one = torch.eye(len(A), dtype=A.dtype)
    left = one - dt / 2 * A
    right = one + dt / 2 * A
    return torch.linalg.solve(left, right), torch.linalg.solve(left, dt * B)


@exercise.alternative
def by_inverse(A, B, dt):
    half = dt * A / 2
    inverse = torch.linalg.inv(torch.eye(len(A)).to(A) - half)
    return inverse + inverse @ half, inverse @ B * dt


@exercise.alternative
def both_at_once(A, B, dt):
    n = len(A)
    one = torch.eye(n, dtype=A.dtype)
    columns = torch.cat([one + 0.5 * dt * A, dt * B[:, None]], 1)
    solved = torch.linalg.lu_solve(*torch.linalg.lu_factor(one - 0.5 * dt * A), columns)
    return solved[:, :n], solved[:, n]


@exercise.alternative
def implicit_half_after_explicit_half(A, B, dt):
    one = torch.diag(torch.ones_like(B))
    back = torch.linalg.inv(one - dt / 2 * A)
    return (one + dt / 2 * A) @ back, dt * torch.einsum("ij, j -> i", back, B)


@exercise.special("a matrix of zeros")
def nothing_moves(draw):
    return {"A": torch.zeros(3, 3).double(), "B": torch.ones(3).double(), "dt": torch.tensor(0.5).double()}


@exercise.special("the weekly habit at a step of one day")
def weekly(draw):
    r, omega = 1 / 14, 2 * torch.pi / 7
    A = torch.tensor([[-r, -omega], [omega, -r]], dtype=torch.float64)
    return {"A": A, "B": torch.tensor([1.0, 0.0]).double(), "dt": torch.tensor(1.0).double()}


SOLVED = "return torch.linalg.solve(left, right), torch.linalg.solve(left, dt * B)"
exercise.slips(
    ("Euler", "This is Euler's rule: the slope at the beginning is followed for the whole step.",
     (SOLVED, "return one + dt * A, dt * B")),
    ("Euler backwards", "The slope at the end alone is used: the half at the beginning is missing.",
     ("one - dt / 2 * A", "one - dt * A"), ("one + dt / 2 * A", "one")),
    ("zero-order hold", "This is the exact step for a held input; asked for is the rational rule with two halves.",
     (SOLVED, "both = torch.zeros(len(A) + 1, len(A) + 1).to(A)\n    both[:-1, :-1], both[:-1, -1] = A, B\n"
      "    both = torch.matrix_exp(dt * both)\n    return both[:-1, :-1], both[:-1, -1]")),
    ("exact decay, bilinear input", "Ā is exp(dt·A), the exact one: asked for is (I - dt/2·A)⁻¹ (I + dt/2·A).",
     ("return torch.linalg.solve(left, right)", "return torch.matrix_exp(dt * A)")),
    ("whole steps", "Both ends take a whole step: each should take a half, dt/2.",
     ("one - dt / 2", "one - dt"), ("one + dt / 2", "one + dt")),
    ("whole step at the end", "In the inverse stands a whole step: it should be a half, I - dt/2·A.",
     ("one - dt / 2", "one - dt")),
    ("whole step at the beginning", "The factor is I + dt·A: it should have half a step, I + dt/2·A.",
     ("one + dt / 2", "one + dt")),
    ("two steps at the end", "In the inverse dt is multiplied by 2: it should be halved.",
     ("one - dt / 2", "one - dt * 2")),
    ("two steps at both ends", "dt is multiplied by 2 at both ends: it should be halved.",
     ("one - dt / 2", "one - dt * 2"), ("one + dt / 2", "one + dt * 2")),
    ("quarter steps", "Both ends take a quarter of the step: each should take a half, dt/2.",
     ("one - dt / 2", "one - dt / 4"), ("one + dt / 2", "one + dt / 4")),
    ("step left out of the halves", "The step is missing in I ± dt/2·A.",
     ("one - dt / 2", "one - 1 / 2"), ("one + dt / 2", "one + 1 / 2")),
    ("signs exchanged", "Plus and minus are exchanged: the inverse belongs to I - dt/2·A.",
     ("one - dt", "one + dt"), ("one + dt / 2 * A\n    return", "one - dt / 2 * A\n    return")),
    ("plus on both sides", "Both sides have I + dt/2·A, so that Ā is I: the inverse belongs to I - dt/2·A.",
     ("one - dt", "one + dt")),
    ("minus on both sides", "Both sides have I - dt/2·A, so that Ā is I: the other factor is I + dt/2·A.",
     ("one + dt", "one - dt")),
    ("Ā inverted", "Ā is the inverse of what it should be: I - dt/2·A is the left side of the equation to be solved.",
     ("linalg.solve(left, right)", "linalg.solve(right, left)")),
    ("product instead of inverse", "I - dt/2·A is multiplied: what is asked for is its inverse.",
     ("torch.linalg.solve(left, right)", "left @ right"), ("torch.linalg.solve(left, dt * B)", "left @ (dt * B)")),
    ("inverse entry by entry", "Two matrices are multiplied with *, entry by entry: a matrix product is @.",
     ("torch.linalg.solve(left, right)", "torch.linalg.inv(left) * right")),
    ("series of second order", "This is a series of the exponential up to dt²: asked for is a rule with an inverse.",
     (SOLVED, "return one + dt * A + dt**2 * A @ A / 2, dt * B + dt**2 * A @ B / 2")),
    ("divided entry by entry", "Matrices are divided entry by entry: an inverse takes torch.linalg.solve.",
     ("torch.linalg.solve(left, right)", "right / left")),
    ("ones instead of I", "1 is added to every entry of dt/2·A: I has ones on its diagonal only, torch.eye(n).",
     ("torch.eye(len(A), dtype=A.dtype)", "1")),
    ("input without the inverse", "B̄ is dt·B, as in Euler's rule: (I - dt/2·A)⁻¹ acts on the input too.",
     ("torch.linalg.solve(left, dt * B)", "dt * B")),
    ("input through both halves", "B̄ is Ā·dt·B: the input goes through the inverse only.",
     ("torch.linalg.solve(left, dt * B)", "torch.linalg.solve(left, right) @ (dt * B)")),
    ("step missing in the input", "B̄ has no dt: a longer step should let more in.", ("dt * B", "B")),
    ("input halved", "B̄ has dt/2: the input comes in for the whole step.", ("dt * B", "dt / 2 * B")),
    ("right half missing", "Ā is (I - dt/2·A)⁻¹: the factor I + dt/2·A is missing.",
     ("solve(left, right)", "solve(left, one)")),
    ("left half missing", "Ā is I + dt/2·A: the inverse of I - dt/2·A is missing.",
     ("torch.linalg.solve(left, right)", "right")),
    ("A transposed", "A is transposed: its rows say how each number of the state moves.",
     ("one - dt / 2 * A", "one - dt / 2 * A.mT"),
     ("one + dt / 2 * A", "one + dt / 2 * A.mT")),
    ("results exchanged", "The two results come in the wrong order: Ā first, then B̄.",
     ("solve(left, right), torch.linalg.solve(left, dt * B)", "solve(left, dt * B), torch.linalg.solve(left, right)")),
)  # fmt: skip
