"""`longpanda longwatch report`: write files of results as an HTML page, Markdown or a picture."""

import argparse
from pathlib import Path
from typing import Final

_PRINTED: Final = ("lengths", "paired", "rotations", "letters", "answered", "errors")
"""Sections of the page that are also printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the step."""
    add = parser.add_argument
    add("results", type=Path, nargs="+", metavar="RESULTS", help=".jsonl file written by `run`; two files are compared")
    add(
        "--suite",
        type=Path,
        metavar="DIR",
        help="the suite, or the file of your own questions; adds frames of failures, unasked questions and the plan "
        "to the page (default: none)",
    )
    add("--out", type=Path, metavar="FILE.html", help="the page (default: next to the first results, under their name)")
    add("--markdown", type=Path, metavar="FILE.md", help="also write the page as Markdown (default: no)")
    add(
        "--png",
        type=Path,
        metavar="FILE.png",
        help="also draw scores by family and length (default: no); needs longpanda[plots]",
    )


def run(options: argparse.Namespace) -> None:
    """Write results as one self-contained page and print its main tables. Two files are compared on the same page."""
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
    """Return the default name of the page. A comparison does not overwrite the pages of its two files."""
    return results[0].with_name("-vs-".join(path.stem for path in results) + ".html")


def _refuse_to_destroy(written: list[Path], results: list[Path], questions: Path | None) -> None:
    """Raises ConfigError for an output that is also an input, a file of a suite, or named twice."""
    from longpanda.errors import ConfigError
    from longpanda.longwatch.folder import is_of_suite

    taken = {} if questions is None else {questions.resolve(): "the file of questions"}
    taken |= {path.resolve(): "a file of results" for path in results}
    for path in written:
        resolved = path.resolve()
        if what := taken.get(resolved) or ("a file of a suite" if is_of_suite(resolved) else ""):
            raise ConfigError(f"'{path}' is {what}", "a separate file for each output", "choose another name")
        taken[resolved] = "named for another output already"
