"""What `longpanda longwatch run` says of questions that got no answer, and when it stops asking."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from longpanda.types import Score

ERRORS_IN_A_ROW = 20
"""After so many a system is taken to be down, and the run stops."""


class ErrorsInARow:
    """Counts errors as scores come, and stops a run that asks in vain."""

    def __init__(self) -> None:
        self.number = 0

    def count(self, score: "Score") -> None:
        """One more score.

        Raises:
            IncompleteError: no other question will be answered, because of the key, the model or the address; or too
                many in a row were not.
        """
        from longpanda.errors import ErrorKind, IncompleteError

        self.number = self.number + 1 if score.error else 0
        if score.error is None:
            return
        found, remedy = parts_of(score.error)
        again = f"{remedy}; then run the same command again, which goes on"
        if score.error_kind == ErrorKind.DENIED:
            raise IncompleteError(found, "a system that answers", again)
        if self.number >= ERRORS_IN_A_ROW:
            raise IncompleteError(f"{self.number} errors in a row, the last: {found}", "a system that answers", again)


def parts_of(error: str) -> tuple[str, str]:
    """What happened and what to do, of an error's words, without what was expected."""
    found, _, rest = error.partition("; expected ")
    return found, rest.rpartition("; ")[2]


def lines_of(scores: "Sequence[Score]") -> Iterator[str]:
    """How many questions have no answer, by kind with the first of each, and how those fared that have one."""
    from longpanda.errors import counted
    from longpanda.evaluate import accuracy
    from longpanda.evaluate.summary import kind_shown

    failed = sorted((score for score in scores if score.error), key=kind_shown)
    if not failed:
        return
    whole = [score for score in scores if score.error is None]
    without = f"; {accuracy(whole).value:.1%} right of the {len(whole):,} answered" if whole else ""
    yield f"{counted(len(failed), 'error')}, which count as wrong{without}"
    for kind, group in groupby(failed, key=kind_shown):
        same = list(group)
        found, remedy = parts_of(same[0].error or "")
        yield f"  {len(same):,} {kind}, the first: {found}; {remedy}"


def require_answers(scores: "Sequence[Score]", is_asked_again: bool) -> None:
    """Raises IncompleteError where questions have no answer: the run is done, and its results are not whole."""
    from longpanda.errors import IncompleteError, counted

    if failed := sum(score.error is not None for score in scores):
        found = f"{failed:,} of {counted(len(scores), 'question')} without an answer"
        again = "run the same command again" + ("" if is_asked_again else " without --no-retry-errors")
        raise IncompleteError(found, "an answer to each", f"{again}, which asks these alone")
