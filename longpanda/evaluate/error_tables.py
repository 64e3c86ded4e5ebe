"""What a page of results says of questions that got no answer."""

from collections import Counter
from typing import Final

from longpanda.errors import ErrorKind, counted
from longpanda.evaluate.cells import Cell, Table, share_cell
from longpanda.evaluate.summary import Summary

MESSAGES: Final = 10
"""Messages of errors that are listed."""
_MEANINGS: Final[dict[str, str]] = {
    ErrorKind.EMPTY: "nothing was said, or nothing after thinking",
    ErrorKind.CUT: "the answer ended at a limit before it was whole",
    ErrorKind.FILTERED: "a filter withheld the answer, or it was refused",
    ErrorKind.MALFORMED: "what came cannot be read as an answer",
    ErrorKind.REJECTED: "the request was called wrong",
    ErrorKind.TOO_LARGE: "more pictures, bytes or tokens than are taken",
    ErrorKind.FAILED: "the system said that it failed",
    ErrorKind.BUSY: "the system was busy for longer than the patience",
    ErrorKind.TIMEOUT: "no answer in time",
    ErrorKind.CONNECTION: "not reached, or the connection broke",
    ErrorKind.ENDED: "the program could not be started, or ended",
    ErrorKind.DENIED: "key, credit, model or address",
    ErrorKind.VIDEO: "the video could not be read",
    ErrorKind.OTHER: "anything else",
}


def answered_table(model: Summary) -> Table:
    """Accuracy with errors, which count as wrong, and without; no rows where there are none."""
    rows = [
        (Cell(one.name), share_cell(one.exact), share_cell(one.answered), Cell(f"{one.exact.errors:,}"))
        for one in model.rows
        if model.overall.exact.errors
    ]
    return Table(("family", "all questions", "answered ones", "errors"), tuple(rows))


def kinds_table(model: Summary) -> Table:
    """How many errors there are of each kind."""
    counts = Counter[str]()
    for kind, _, count in model.errors:
        counts[kind] += count
    rows = [(Cell(kind), Cell(f"{count:,}"), Cell(_MEANINGS.get(kind, ""))) for kind, count in counts.most_common()]
    return Table(("kind", "questions", "what it is"), tuple(rows), is_prose=True)


def messages_table(model: Summary) -> Table:
    """What was said of errors, the most frequent first."""
    rows = [(Cell(kind), Cell(message), Cell(f"{count:,}")) for kind, message, count in model.errors[:MESSAGES]]
    if rest := model.errors[MESSAGES:]:
        told = counted(len(rest), "other message")
        rows.append((Cell("all"), Cell(told), Cell(f"{sum(count for *_, count in rest):,}")))
    return Table(("kind", "message", "questions"), tuple(rows), is_prose=True)
