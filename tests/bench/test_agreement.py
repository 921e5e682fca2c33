"""What computes something else is found, named, and never timed."""

import pytest
import torch

from seqrec_edu.bench import agreement, worker
from seqrec_edu.bench.agreement import compare, disagreeing, outcome, widen
from seqrec_edu.bench.case import BF16, Case, Variant, Work, normal
from seqrec_edu.bench.rates import Rates
from seqrec_edu.bench.settings import Settings

RATES = Rates(copy=1e10, gemm=1e11, gemm_bf16=1e10, exponentials=1e9)


def square(x, w):
    return w * x * x


def case(*variants, **changes):
    """``w x²`` with a variant for each function given by name."""
    known = {
        "reference": square,
        "same": lambda x, w: (x**2) * w,
        "wrong sign": lambda x, w: -w * x * x,
        "wrong gradient": lambda x, w: w * x * x.detach(),
        "gradient left out": lambda x, w: w.detach() * x * x,
        "wrong shape": lambda x, w: square(x, w)[:, :1],
        "not a number": lambda x, w: square(x, w) + torch.where(x > 100, 0.0, torch.nan),
        "fails": lambda x, w: 1 / 0,
        "in bf16": lambda x, w: square(x.bfloat16(), w.bfloat16()).float(),
        "wrong from 5 rows on": lambda x, w: square(x, w) * (1.0 if len(x) < 5 else 2.0),
    }
    options = {"in bf16": {"bf16": True, "tolerance": BF16}, "absent": {"missing": "there is none"}}
    options |= {"huge": {"needs": 1e15}}
    made = tuple(Variant(key, key, known.get(key, square), **options.get(key, {})) for key in variants)
    whole = Case(
        name="a square", sizes={"b": 6, "l": 3}, learn=("x", "w"), truths={"same": square}, variants=made,
        make=lambda s: {"x": normal(s["b"], s["l"], seed=1), "w": normal(3, seed=2)}, fewer={"b": 2}, chosen="same",
        work={"same": {"forward": Work(1e6, 1e6), "both": Work(3e6, 3e6)}},
    )  # fmt: skip
    return Case(**{**vars(whole), **changes})


def measured(*variants, rates=RATES):
    found = worker.time_case(case(*variants), Settings(rounds=2, quick=True), rates)
    return {each["key"]: each for each in found["variants"]}


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ("wrong sign", "output is off by"),
        ("wrong gradient", "gradient of x is off by"),
        ("gradient left out", "gradient of w is off by inf"),
        ("wrong shape", "of shape (2, 1) for (2, 3)"),
        ("not a number", "output is off by inf"),
        ("wrong from 5 rows on", "at full size"),
    ],
)
def test_a_variant_that_disagrees_is_named_and_not_timed(variant, says):
    found = measured("reference", variant)
    assert found[variant]["status"] == "wrong" and says in found[variant]["reason"]
    assert "rounds" not in found[variant]
    assert found["reference"]["status"] == "timed"


def test_what_agrees_is_timed_in_both_passes():
    found = measured("reference", "same")["same"]
    assert found["status"] == "timed" and found["error"] < 1e-6
    assert {what: len(taken) for what, taken in found["rounds"].items()} == {"forward": 2, "both": 2}
    assert found["floor"]["forward"] == {"seconds": 1e-4, "limit": "bytes"}


def test_what_cannot_run_is_listed_with_its_reason():
    found = measured("reference", "fails", "absent", "huge", "in bf16")
    assert found["fails"]["status"] == "failed" and "ZeroDivisionError" in found["fails"]["reason"]
    assert (found["absent"]["status"], found["absent"]["reason"]) == ("unavailable", "there is none")
    assert found["huge"]["status"] == "unavailable" and "GB are free" in found["huge"]["reason"]
    assert (
        found["in bf16"]["status"] == "unavailable" and "bf16 products reach 10 GFLOP/s" in found["in bf16"]["reason"]
    )


def test_bf16_is_timed_where_it_is_faster_and_held_to_its_own_tolerance():
    fast = Rates(copy=1e10, gemm=1e11, gemm_bf16=4e11, exponentials=1e9)
    found = measured("reference", "in bf16", rates=fast)["in bf16"]
    assert found["status"] == "timed" and 1e-4 < found["error"] < BF16


def test_upstream_gradients_do_not_depend_on_the_type():
    y = torch.zeros(4, 5)
    assert torch.equal(agreement.weights(y), agreement.weights(y.double()).float())
    assert agreement.weights(torch.tensor(2.0)) == 1


def test_widening_leaves_whole_numbers_alone():
    made = widen(
        {"x": torch.ones(1), "h": torch.ones(1).bfloat16(), "c": torch.ones(1).cfloat(), "i": torch.ones(1).long()}
    )
    assert [v.dtype for v in made.values()] == [torch.float64, torch.float64, torch.complex128, torch.int64]


def test_a_gradient_that_is_zero_may_be_left_out():
    left_out = {"output": torch.ones(1), "gradient of x": None}
    zero = left_out | {"gradient of x": torch.zeros(1)}
    assert compare(left_out, zero, 1e-6).agrees and compare(zero, left_out, 1e-6).agrees


def test_ranks_are_compared_by_the_share_that_differs():
    right, found = torch.arange(1000), torch.arange(1000)
    found[3] += 1
    assert disagreeing(found, right) == pytest.approx(1e-3)
    assert compare({"output": found}, {"output": right}, 2e-3, disagreeing).agrees
    assert not compare({"output": found}, {"output": right}, 5e-4, disagreeing).agrees


def test_outcomes_of_complex_inputs():
    inputs = {"x": torch.ones(2, dtype=torch.cfloat)}
    found = outcome(lambda x: (x * x.conj()).real, inputs, ("x",))
    assert found["gradient of x"].is_complex()
