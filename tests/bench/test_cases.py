"""Every way that others compute an operation equals the reference: a rival that is wrong would prove nothing."""

import dataclasses
from pathlib import Path

import pytest
import torch

from seqrec_edu.bench import agreement, peers, rivals
from seqrec_edu.bench.case import chosen, rungs
from seqrec_edu.bench.cases import cases_of
from seqrec_edu.bench.settings import GROWTH, OPERATIONS, TOKENS, Settings, known
from seqrec_edu.ops import backends

OWN = set(backends.NAMES)  # the versions of our own have tests of their own


def smaller(case, **sizes):
    return dataclasses.replace(case, sizes={**case.sizes, **sizes})


def others(case):
    return [v for v in case.variants if v.key.partition("+")[0] not in OWN and not v.missing]


@pytest.mark.parametrize("length", [1, 2, 13])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_rivals_equal_the_reference(operation, length):
    for case in cases_of(operation, Settings(quick=True, lengths=(length,))):
        truths, found = {}, others(case)
        assert found, "an operation without a rival"
        for variant in found:
            verdict = agreement.check(case, variant, truths)
            assert verdict.agrees, f"{variant.label}: {verdict.where} is off by {verdict.error:.1e}"


def test_targets_of_the_ranking_case_are_found_at_different_places():
    case = cases_of("target_rank", Settings(quick=True))[0]
    places = case.truths["same"](**case.make({**case.sizes, "u": 400, "v": 500}))
    assert 0 < (places > 0).double().mean() < 1 and len(places.unique()) > 10


@pytest.mark.parametrize("operation", OPERATIONS)
def test_cases_are_whole(operation):
    for case in cases_of(operation, Settings(large=True, growth=True)):
        keys = [variant.key for variant in case.variants]
        assert len(set(keys)) == len(keys) and case.chosen in keys and keys[0] == "reference"
        assert {variant.truth for variant in case.variants} <= set(case.truths)
        assert set(rungs(operation)) <= set(keys), "every version is listed, also one that cannot run here"
        for work in case.work.values():
            assert set(case.passes) <= set(work) and all(w.bytes > 0 for w in work.values())


def test_operations_are_those_of_the_package():
    import seqrec_edu.ops  # registers them

    assert seqrec_edu.ops.__all__
    assert set(OPERATIONS) == {name for name in backends._operations if not name.startswith("running_")}


def test_chosen_is_what_runs():
    assert chosen("glu") == backends._operations["glu"].pick(torch.empty(1), None).__module__.rpartition(".")[2]


def test_growth_keeps_the_number_of_events():
    found = Settings(lengths=(50,), growth=True).batches
    assert found[0] == (256, 50) and [l for _, l in found] == list(GROWTH)
    assert all(abs(b * l - TOKENS) < l for b, l in found)


def test_quadratic_ways_are_left_out_of_long_histories():
    case = next(c for c in cases_of("selective_scan", Settings(growth=True)) if c.sizes["l"] == 4096)
    assert (
        "quadratic" in case.variant("indexed-loop").missing and "quadratic" in case.variant("materialised-loop").missing
    )
    assert case.variant("blelloch").missing is None


def test_a_kernel_in_the_interpreter_is_not_timed(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert "interpreter" in cases_of("glu", Settings(quick=True))[0].variant("kernel").missing


@pytest.mark.parametrize("names", [["ssd", "nothing"], ["SSD"]])
def test_unknown_names_list_what_there_is(names):
    with pytest.raises(ValueError, match="there are attention, causal_conv1d"):
        known(names)


def test_known_names():
    assert known([]) == OPERATIONS and known(["glu", "ssd", "glu"]) == ("glu", "ssd")


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"lengths": ()}, {"lengths": (50, 0)}])
def test_settings_refuse(wrong):
    with pytest.raises(ValueError, match="bench"):
        Settings(**wrong)


def test_settings_travel_as_json():
    settings = Settings(rounds=3, lengths=(7,), peers="there")
    assert Settings.from_json(settings.to_json()) == settings


def test_peers_are_loaded_from_the_folder_given(tmp_path):
    place = tmp_path / "checkout" / "mambapy"
    place.mkdir(parents=True)
    (place / "pscan.py").write_text("from seqrec_edu.bench.rivals import _Sweeps\npscan = _Sweeps.apply\n")
    (tmp_path / "mamba-minimal").mkdir()
    (tmp_path / "mamba-minimal" / "model.py").write_text("import a_package_that_nobody_has\n")
    pscan, minimal = peers.selective_scans(str(tmp_path))
    assert pscan.missing is None and "a_package_that_nobody_has" in minimal.missing
    case = cases_of("selective_scan", Settings(quick=True))[0]
    assert agreement.check(case, pscan, {}).agrees
    assert "not there" in peers.ssds(str(tmp_path))[0].missing
    assert {variant.missing for variant in peers.selective_scans(None)} == {peers.NOT_GIVEN}


def test_no_code_of_a_peer_is_needed():
    """Peers are loaded from outside only: the package holds none of them."""
    assert not list(Path(peers.__file__).parent.rglob("*pscan*"))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 13, 64])
def test_the_sweeps_at_any_length(length):
    a, u = torch.rand(2, length, 3, 2, dtype=torch.float64), torch.randn(2, length, 3, 2, dtype=torch.float64)
    state, expected = torch.zeros(2, 3, 2, dtype=torch.float64), []
    for t in range(length):
        state = a[:, t] * state + u[:, t]
        expected.append(state)
    torch.testing.assert_close(rivals._Sweeps.apply(a, u), torch.stack(expected, 1))
    small = (a[:1, :5, :1, :1].requires_grad_(), u[:1, :5, :1, :1].requires_grad_())
    assert torch.autograd.gradcheck(rivals._Sweeps.apply, small)
