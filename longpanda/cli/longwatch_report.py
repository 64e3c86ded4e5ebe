"""`longpanda longwatch report`: files of results to a page, Markdown and a picture."""

import argparse
from pathlib import Path
from typing import Final

_PRINTED: Final = ("lengths", "paired", "rotations", "letters", "answered", "errors")
"""Sections of the page that are printed, too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the step."""
    add = parser.add_argument
    add("results", type=Path, nargs="+", metavar="RESULTS", help="what run wrote, .jsonl; two files are compared")
    add(
        "--suite",
        type=Path,
        metavar="DIR",
        help="the suite's folder, or the file of your own questions, for pictures of failures, what is not asked and "
        "the plan (default: without)",
    )
    add("--out", type=Path, metavar="FILE.html", help="the page (default: beside the first results, under their name)")
    add("--markdown", type=Path, metavar="FILE.md", help="write the page as Markdown, too (default: no)")
    add(
        "--png",
        type=Path,
        metavar="FILE.png",
        help="draw scores by family and length, too (default: no); needs longpanda[plots]",
    )


def run(options: argparse.Namespace) -> None:
    """Write one self-contained page of results and print its main tables; two results are compared on the same page."""
    from longpanda.evaluate.report import markdown, markdown_table, page, warnings_of
    from longpanda.files import check_writable, write_atomic
    from longpanda.harness.questions import questions_in
    from longpanda.harness.report import read_results, report_of

    questions = None if options.suite is None else questions_in(options.suite)
    results = read_results(options.results, questions)
    target = options.out or _beside(options.results)
    written = [path for path in (target, options.markdown, options.png) if path is not None]
    _refuse_to_destroy(written, options.results, options.suite)
    for path in written:
        check_writable(path)
    report = report_of(results, questions)
    write_atomic(target, page(report))
    if options.markdown is not None:
        write_atomic(options.markdown, markdown(report))
    for one in report.models:
        for warning in warnings_of(one):
            print(f"{one.name}: {warning}\n")
    for section in report.sections:
        if section.key in _PRINTED:
            for model, table in section.tables:
                heading = f"{section.title}: {model}" if model else section.title
                print(f"{heading}\n\n{markdown_table(table)}\n")
    print(f"the page is {target}")
    if options.png is not None:
        from longpanda.evaluate.figure import draw

        write_atomic(options.png, draw(report.answered))


def _beside(results: list[Path]) -> Path:
    """The page's name where none is given; that of two results leaves each one's own page alone."""
    return results[0].with_name("-vs-".join(path.stem for path in results) + ".html")


def _refuse_to_destroy(written: list[Path], results: list[Path], questions: Path | None) -> None:
    """Raises ConfigError where a file to be written is one of those that are read, or of a suite, or is named twice."""
    from longpanda.errors import ConfigError
    from longpanda.longwatch.folder import is_of_suite

    taken = {} if questions is None else {questions.resolve(): "the file of questions"}
    taken |= {path.resolve(): "a file of results" for path in results}
    for path in written:
        resolved = path.resolve()
        if what := taken.get(resolved) or ("a file of a suite" if is_of_suite(resolved) else ""):
            raise ConfigError(f"'{path}' is {what}", "a file of its own for all that is written", "choose another name")
        taken[resolved] = "to be written already"
