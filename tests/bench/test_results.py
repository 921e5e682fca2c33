"""From answers of processes to ratios, verdicts, a table and two files."""

import copy
import json

import pytest

from seqrec_edu.bench import aims, report, run, store
from seqrec_edu.bench.settings import Settings

FACTS = {
    "system": "Linux", "processor": "a processor", "instructions": "AVX2", "cores": 2, "threads": 1, "libc": "glibc",
    "allocator": {}, "versions": {"torch": "2"}, "commit": None,
}  # fmt: skip
RATES = {"copy": 3.5e10, "gemm": 1e11, "gemm_bf16": 4e11, "exponentials": 1.6e9}
SPEED = {"reference": 16.0, "blelloch": 90.0, "associative-scan": 70.0, "vectorised": 40.0, "cpu": 1.0}


def entry(key, seconds, status="timed"):
    if status != "timed":
        return {"key": key, "label": key, "truth": "same", "bf16": False, "status": status, "reason": "for a reason"}
    rounds = {"forward": [seconds, seconds * 1.2, seconds * 0.9], "both": [3 * seconds] * 3}
    floor = {what: {"seconds": 0.5, "limit": "arithmetic"} for what in rounds}
    return {
        "key": key, "label": f"the {key}", "truth": "same", "bf16": False, "status": "timed", "error": 1e-7,
        "worst": "output", "rounds": rounds, "floor": floor,
    }  # fmt: skip


def answer(factor=1.0):
    variants = [entry(key, seconds * factor) for key, seconds in SPEED.items()] + [entry("kernel", 0, "unavailable")]
    sizes = {"b": 256, "l": 200, "e": 128, "n": 16}
    case = {"name": "256 × 200", "sizes": sizes, "chosen": "cpu", "variants": variants}
    return {"facts": FACTS, "rates": RATES, "load": {"before": [1.0, 1, 1], "after": None}, "cases": [case]}


@pytest.fixture
def document():
    answers = {"default": answer(), "tuned": answer(0.5)}
    answers["tuned"]["facts"] = {**FACTS, "allocator": {"MALLOC_TOP_PAD_": "1"}}
    made = run.merge("selective_scan", Settings(peers="/a/folder"), answers)
    made["no_tuned_allocator"] = None
    for variant, mib in zip(made["cases"][0]["variants"], (500, 900, 900, 900, 20), strict=False):
        variant["memory"] = {"mib": {"forward": mib / 2, "both": mib}, "method": "VmHWM"}
    run.add_ratios(made)
    made["aims"] = aims.judge(made)
    return made


def variant(document, key):
    return next(each for each in document["cases"][0]["variants"] if each["key"] == key)


def test_seconds_stand_by_allocator_and_pass(document):
    assert variant(document, "reference")["seconds"]["default"]["forward"]["median"] == 16.0
    assert variant(document, "reference")["seconds"]["tuned"]["both"]["median"] == 24.0


def test_ratios_are_to_the_chosen_version(document):
    assert variant(document, "blelloch")["times_ours"]["default"]["both"]["median"] == 90.0
    assert variant(document, "cpu")["times_ours"]["tuned"]["forward"]["median"] == 1.0


def test_a_variant_that_is_wrong_with_one_allocator_is_wrong():
    answers = {"default": answer(), "tuned": answer()}
    answers["tuned"]["cases"][0]["variants"][1] = {**entry("blelloch", 0, "wrong"), "error": 0.5, "worst": "output"}
    made = run.merge("selective_scan", Settings(), answers)
    assert variant(made, "blelloch")["status"] == "wrong" and "seconds" not in variant(made, "blelloch")


def test_aims_are_met_missed_or_not_measured(document):
    found = {(a["aim"], a["slow"], a["what"], a["allocator"]): a for a in document["aims"]}
    assert found["C1", "the reference", "forward", "default"]["verdict"] == "met"
    assert found["C2", "the blelloch", "both", "default"]["verdict"] == "met"
    missed = found["C2", "the associative-scan", "both", "default"]
    assert (missed["verdict"], missed["reached"], missed["target"]) == ("missed", 70.0, 80)
    assert found["C2", "the associative-scan", "both", "tuned"]["verdict"] == "met"
    memory = found["C3", "the reference", "memory", "default"]
    assert memory["reached"] == 25.0 and memory["verdict"] == "met"
    peer = next(a for a in document["aims"] if a["slow"] is None)
    assert peer["verdict"].startswith("not measured: mamba.py")
    assert {a["aim"] for a in document["aims"]} == {"C1", "C2", "C3"}  # C6 is set at another length


def test_an_aim_may_be_an_upper_bound():
    case = {"name": "", "sizes": {"b": 256, "l": 200, "h": 4}, "chosen": "cpu"}
    for seconds, verdict in ((1.05, "met"), (1.2, "missed")):
        variants = [entry("cpu", 1.0), entry("cpu+time", seconds)]
        made = run.merge("ssd", Settings(), {"default": {**answer(), "cases": [{**case, "variants": variants}]}})
        found = [a for a in aims.judge(made) if a["aim"] == "C5"]
        assert [a["verdict"] for a in found] == [verdict]


def test_a_quick_run_is_not_judged(document):
    assert aims.judge(document | {"quick": True}) == []


def test_every_aim_names_variants_that_exist():
    from seqrec_edu.bench.cases import cases_of

    for aim in aims.AIMS:
        cases = cases_of(aim.operation, Settings(large=True))
        found = [case for case in cases if aim.sizes.items() <= case.sizes.items()]
        assert len(found) == 1, f"{aim.name} speaks of {len(found)} cases"
        keys = {v.key for v in found[0].variants}
        assert {key.replace(aims.OURS, found[0].chosen) for key in (aim.fast, aim.slow)} <= keys


def test_rows(document):
    rows = {row[0]: dict(zip(report.HEADER[1:], row[1:], strict=True)) for row in report.rows(document["cases"][0])}
    assert "the cpu ◀" in rows and len(rows) == len(SPEED)
    cells = report.rows(document["cases"][0])[0]
    assert cells[:7] == ["the reference", "16,000", "16.0", "48,000", "16.0", "24,000", "16.0"]
    assert cells[7:] == ["500", "25.0", "1%", "1e-07"]
    assert report.left_out(document["cases"][0]) == [("kernel", "unavailable", "for a reason")]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0123, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")],
)
def test_digits(value, text):
    assert report.digits(value) == text


def test_markdown_has_everything(document):
    text = report.markdown(document)
    for expected in (
        "# ops.selective_scan",
        "a processor",
        "| the blelloch |",
        "kernel: unavailable: for a reason",
        "| C2 |",
    ):
        assert expected in text
    assert "MALLOC_TOP_PAD_=1" in text and "load before → after: default 1.0 → unknown" in text
    assert "/a/folder" not in text + json.dumps(document)
    assert report.QUICK in report.markdown(document | {"quick": True})


def test_both_files_are_written_whole(document, tmp_path):
    paths = store.write(document, tmp_path / "new")
    assert sorted(path.name for path in paths) == ["selective_scan.json", "selective_scan.md"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == json.loads(json.dumps(document))
    before = paths[0].read_bytes()
    broken = copy.deepcopy(document)
    broken["cases"][0]["variants"][0]["error"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        store.write(broken, tmp_path / "new")
    assert paths[0].read_bytes() == before and len(list((tmp_path / "new").iterdir())) == 2


def test_curves_over_lengths_are_per_event(document):
    second = copy.deepcopy(document["cases"][0])
    second["sizes"] = {**second["sizes"], "b": 128, "l": 400}
    document["cases"] = [second, document["cases"][0]]
    found = report.curves(document)
    assert found["x"] == [200, 400] and found["unit"] == "µs per event"
    assert found["times"]["the cpu"] == pytest.approx([3.0 / 0.0512] * 2)
    assert found["floor"] == pytest.approx([0.5 / 0.0512] * 2) and found["ours"] == ["the cpu"]


def test_curves_without_lengths_are_per_case(document):
    document["cases"][0]["sizes"] = {"t": 10, "v": 10}
    found = report.curves(document)
    assert found["x"] == ["256 × 200"] and found["times"]["the cpu"] == [3.0] and found["unit"] == "seconds"


def test_a_process_that_fails_says_why(monkeypatch):
    with pytest.raises(RuntimeError, match=r"status 1: .*KeyError|ModuleNotFoundError"):
        run.ask({"what": "time", "operation": "nothing"}, Settings(quick=True))


def test_a_tuned_allocator_that_runs_out_of_memory_costs_only_its_own_times(monkeypatch):
    def ask(request, settings, allocator="default"):
        if request["what"] == "memory":
            return {"mib": {"forward": 1.0, "both": 1.0}, "method": "VmHWM"}
        if allocator == "tuned":
            raise RuntimeError("it was killed, probably for its memory")
        return answer()

    monkeypatch.setattr(run, "ask", ask)
    monkeypatch.setattr(run.surroundings, "untunable", lambda: None)
    found = run.bench("selective_scan", Settings())
    assert "killed" in found["no_tuned_allocator"] and list(found["allocators"]) == ["default"]
    assert {aim["verdict"] for aim in found["aims"] if aim["allocator"] == "default"} & {"met", "missed"}
    monkeypatch.setattr(run, "ask", lambda *_: (_ for _ in ()).throw(RuntimeError("gone")))
    with pytest.raises(RuntimeError, match="gone"):
        run.bench("selective_scan", Settings())
