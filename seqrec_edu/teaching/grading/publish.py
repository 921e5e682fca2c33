"""Everything a teacher reads, made from the reports: grade book, feedback for each student, similarity, protections."""

import json
from pathlib import Path

from seqrec_edu.data.files import write_whole
from seqrec_edu.teaching.grading.book import grade_csv, grade_page
from seqrec_edu.teaching.grading.feedback import feedback_notebook
from seqrec_edu.teaching.grading.run import report_path
from seqrec_edu.teaching.grading.similarity import common_answers, similar_pairs, similarity_text


def publish(graded, folder, assignment, out, title=""):
    """Write ``grades.csv``, ``grades.html``, ``similar.txt`` and ``.json``, ``feedback/STUDENT.ipynb`` into ``out``.

    The same reports give the same files. What an earlier run left of students who are no longer there is not touched,
    but added to the remarks. Returns the path of the page.
    """
    folder, out, here = Path(folder), Path(out), set()
    for report in graded.reports:
        own = report_path(out, report["student"])
        here.add(own)
        if report["state"] != "nothing":
            student = report["student"]  # it was a file's name and can be one again, if not a longer one
            target = out / "feedback" / f"{student if len(student) < 80 else own.stem}.ipynb"
            here.add(target)
            text = feedback_notebook(report, [folder / each for each in report["files"]])
            write_whole(target, text.encode())
    pairs = similar_pairs(graded.reports, assignment.release)
    page = out / "grades.html"
    texts = {
        "similar.json": json.dumps(pairs, indent=1, ensure_ascii=False) + "\n",
        "similar.txt": similarity_text(pairs, common_answers(graded.reports, assignment.release)),
        "grades.csv": grade_csv(graded.reports),
        page.name: grade_page(graded.reports, title or assignment.name),
    }
    for name, text in texts.items():
        write_whole(out / name, text.encode())
    if left := sorted({*out.glob("feedback/*.ipynb"), *out.glob("reports/*.json")} - here):
        names = ", ".join(path.relative_to(out).as_posix() for path in left)
        graded.remarks.append(f"left by an earlier run, of nobody who is graded now: {names}")
    return page
