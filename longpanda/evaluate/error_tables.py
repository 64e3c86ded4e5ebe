"""The tables of a report about questions without an answer."""

from collections import Counter
from typing import Final

from longpanda.errors import ErrorKind, counted
from longpanda.evaluate.cells import Cell, Table, share_cell
from longpanda.evaluate.summary import Summary

MESSAGES: Final = 10
"""Number of error messages that are listed."""
_MEANINGS: Final[dict[str, str]] = {
    ErrorKind.EMPTY: "the answer was empty, or only thinking",
    ErrorKind.CUT: "the answer was cut off at a limit",
    ErrorKind.FILTERED: "a filter withheld the answer, or it was refused",
    ErrorKind.MALFORMED: "the response could not be parsed",
    ErrorKind.REJECTED: "the request was rejected as invalid",
    ErrorKind.TOO_LARGE: "more pictures, bytes or tokens than the system accepts",
    ErrorKind.FAILED: "the system reported a failure",
    ErrorKind.BUSY: "the system was busy for longer than the patience",
    ErrorKind.TIMEOUT: "no answer in time",
    ErrorKind.CONNECTION: "no connection, or the connection broke",
    ErrorKind.ENDED: "the program could not be started, or ended",
    ErrorKind.DENIED: "wrong key, model or address, or no credit",
    ErrorKind.VIDEO: "the video could not be read",
    ErrorKind.OTHER: "anything else",
}


def answered_table(model: Summary) -> Table:
    """Return accuracy with errors, which count as wrong, and without; no rows if there are no errors."""
    rows = [
        (Cell(one.name), share_cell(one.exact), share_cell(one.answered), Cell(f"{one.exact.errors:,}"))
        for one in model.rows
        if model.overall.exact.errors
    ]
    return Table(("family", "all questions", "answered questions", "errors"), tuple(rows))


def kinds_table(model: Summary) -> Table:
    """Return the number of errors of each kind."""
    counts = Counter[str]()
    for kind, _, count in model.errors:
        counts[kind] += count
    rows = [(Cell(kind), Cell(f"{count:,}"), Cell(_MEANINGS.get(kind, ""))) for kind, count in counts.most_common()]
    return Table(("kind", "questions", "meaning"), tuple(rows), is_prose=True)


def messages_table(model: Summary) -> Table:
    """Return the error messages, most frequent first."""
    rows = [(Cell(kind), Cell(message), Cell(f"{count:,}")) for kind, message, count in model.errors[:MESSAGES]]
    if rest := model.errors[MESSAGES:]:
        others = counted(len(rest), "other message")
        rows.append((Cell("all"), Cell(others), Cell(f"{sum(count for *_, count in rest):,}")))
    return Table(("kind", "message", "questions"), tuple(rows), is_prose=True)
