"""The grade book: a CSV for the registry, and one HTML page to read, sort and search that loads nothing."""

import csv
import io
from collections import Counter
from html import escape

from seqrec_edu.teaching.grading.questions import UNGRADED

STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}
th,td{text-align:left;padding:.3rem .6rem;vertical-align:top;
border-bottom:1px solid #8886}td.n{text-align:right;font-variant-numeric:tabular-nums}
th button{all:unset;cursor:pointer;font-weight:600}th button:focus-visible{outline:2px solid}
.bar{display:inline-block;height:.7rem;background:#0072b2}
.right{color:#00775a}.lost{color:#b34700}small{opacity:.75}
@media(prefers-color-scheme:dark){.right{color:#5fd4b1}.lost{color:#ffa05c}}
"""
SORT = """
document.querySelectorAll('table.sortable').forEach(t=>t.querySelectorAll('th button').forEach((b,i)=>b.onclick=()=>{
const up=b.parentNode.getAttribute('aria-sort')!=='ascending',k=r=>r.cells[i].dataset.key??r.cells[i].textContent;
t.querySelectorAll('th').forEach(h=>h.removeAttribute('aria-sort'));
b.parentNode.setAttribute('aria-sort',up?'ascending':'descending');
[...t.tBodies[0].rows].sort((x,y)=>k(x).localeCompare(k(y),'en',{numeric:true})*(up?1:-1)).forEach(r=>t.tBodies[0].append(r))}));
const f=document.querySelector('input');f.oninput=()=>document.querySelectorAll('#book tbody tr').forEach(r=>
r.hidden=!r.textContent.toLowerCase().includes(f.value.toLowerCase()));
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
UNJUDGED = ("refused", "nothing")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


def grade_csv(reports):
    """One line per student: state, points in all and per question, kinds of verdict, named mistakes."""
    names = [each["question"] for each in reports[0]["questions"]] if reports else []
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["student", "state", "points", "out of", *names, *(f"{name}: verdict" for name in names), "reason"])
    for report in sorted(reports, key=lambda each: each["student"]):
        parts = report["questions"]
        said = [each["kind"] + (f": {each['mistake']}" if each["mistake"] else "") for each in parts]
        row = [report["student"], report["state"], f"{report['points']:g}", f"{report['out_of']:g}"]
        row += [*("" if each["kind"] == UNGRADED else f"{each['points']:g}" for each in parts), *said, report["reason"]]
        rows.writerow(["'" + cell if cell.startswith(FORMULA) else cell for cell in row])
    return out.getvalue()


def remarks(report):
    """The reason, and notes that it does not hold already."""
    found = [report["reason"]] if report["reason"] else []
    return found + [note for note in dict.fromkeys(report["notes"]) if note not in report["reason"]]


def average(reports):
    """Points on average in words; those with nothing to judge are said apart."""
    judged = [report["points"] for report in reports if report["state"] not in UNJUDGED]
    total, rest = reports[0]["out_of"] if reports else 0, len(reports) - len(judged)
    text = f"{sum(judged) / max(1, len(judged)):.2f} of {total:g} points on average"
    if rest:
        text += f"; {sum(judged) / len(reports):.2f} with the {rest} refused or not handed in counted as 0"
    return text


def overview(reports):
    """Per question: how many are right, of how many judged, and the commonest verdicts other than right."""
    reports = [report for report in reports if report["state"] not in UNJUDGED]
    found = []
    for index, first in enumerate(reports[0]["questions"] if reports else ()):
        column = [report["questions"][index] for report in reports]
        right = sum(each["kind"] == "right" for each in column)
        wrong = Counter(each["mistake"] or each["kind"] for each in column if each["kind"] != "right")
        common = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:5]
        found.append({"question": first["question"], "right": right, "of": len(column), "common": common})
    return found


def grade_page(reports, title):
    """The whole page as text. Everything from a submission is escaped, and the page may load nothing."""
    reports = sorted(reports, key=lambda each: each["student"])
    states = Counter(report["state"] for report in reports)
    summary = ", ".join(f"{states[state]} {state}" for state in ("graded", "partly", *UNJUDGED) if states[state])
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<meta http-equiv='Content-Security-Policy' content=\"{POLICY}\">"
        f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>"
        f"<p>{len(reports)} student{'s' * (len(reports) != 1)}: {summary}. {average(reports)}.</p>"
        f"<h2>Questions</h2>{_questions(overview(reports))}<h2>Students</h2>"
        f"<p><label>Show only <input type='search'></label></p>{_students(reports)}</main>"
        f"<script>{SORT}</script></body></html>\n"
    )


def _questions(rows):
    lines = []
    for row in rows:
        share = row["right"] / max(1, row["of"])
        common = "; ".join(f"{escape(name)} ({times}×)" for name, times in row["common"]) or "none"
        bar = f"<span class='bar' style='width:{100 * share:.0f}px'></span>"
        lines.append(
            f"<tr><th scope='row'>{escape(row['question'])}</th><td>{bar} {100 * share:.0f} % "
            f"<small>({row['right']} of {row['of']})</small></td><td>{common}</td></tr>"
        )
    heads = "<tr><th>question</th><th>right</th><th>commonest otherwise</th></tr>"
    return f"<table><thead>{heads}</thead><tbody>{''.join(lines)}</tbody></table>"


def _students(reports):
    names = [each["question"] for each in reports[0]["questions"]] if reports else []
    heads = "".join(
        f"<th scope='col'><button>{escape(name)}</button></th>" for name in ["student", "points", *names, "state"]
    )
    lines = []
    for report in reports:
        cells = "".join(_cell(each) for each in report["questions"])
        said = escape("; ".join(_beside(report)))
        state = f"{escape(report['state'])}" + (f"<br><small>{said}</small>" if said else "")
        lines.append(
            f"<tr><th scope='row'>{escape(report['student'])}</th><td class='n'>{report['points']:g}</td>"
            f"{cells}<td>{state}</td></tr>"
        )
    body = "".join(lines)
    return f"<table id='book' class='sortable'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _beside(report):
    """What is said beside the state: of what stands in a question's cell only the question's name."""
    lines = remarks(report)
    if report["state"] == "partly":
        for each in filter(lambda each: each["sentence"], report["questions"]):
            lines = [line.replace(f"{each['question']}: {each['sentence']}", each["question"]) for line in lines]
            lines = [line for line in lines if line not in each["sentence"]]
    return lines


def _cell(result):
    name = result["mistake"] or result["kind"]
    detail = "<br>".join(escape(each) for each in [result["sentence"], *result["notes"]] if each)
    more = f"<details><summary>{escape(name)}</summary><small>{detail}</small></details>" if detail else escape(name)
    style, key = "right" if result["kind"] == "right" else "lost", f"{result['points']:g} {escape(name, quote=True)}"
    points = "" if result["kind"] == UNGRADED else f"{result['points']:g} "
    return f"<td data-key='{key}' class='{style}'>{points}{more}</td>"
