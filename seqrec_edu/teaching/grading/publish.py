"""Everything a teacher reads, made from the reports: grade book, feedback for each student, similarity, protections."""

import json
from pathlib import Path

from seqrec_edu.teaching.grading.book import grade_csv, grade_page
from seqrec_edu.teaching.grading.feedback import feedback_notebook
from seqrec_edu.teaching.grading.run import report_path, submissions
from seqrec_edu.teaching.grading.similarity import similar_pairs, similarity_text


def publish(graded, folder, assignment, out):
    """Write ``grades.csv``, ``grades.html``, ``similarity.txt`` and ``.json``, ``feedback/STUDENT.ipynb`` into ``out``.

    The same reports give the same files. Returns the path of the page.
    """
    out = Path(out)
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    handed_in = submissions(folder, assignment.name)
    for report in graded.reports:
        name = report_path(out, report["student"]).stem
        text = feedback_notebook(report, handed_in.get(report["student"], ()))
        (out / "feedback" / f"{name}.ipynb").write_text(text, encoding="utf-8")
    pairs = similar_pairs(graded.reports, assignment.release)
    (out / "similarity.json").write_text(json.dumps(pairs, indent=1), encoding="utf-8")
    (out / "similarity.txt").write_text(similarity_text(pairs), encoding="utf-8")
    (out / "grades.csv").write_text(grade_csv(graded.reports), encoding="utf-8")
    page = out / "grades.html"
    page.write_text(grade_page(graded.reports, assignment.name), encoding="utf-8")
    return page
