"""How `longpanda longwatch run` reports questions without an answer, and when it stops asking."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from longpanda.harness.stopping import ERRORS_IN_A_ROW, parts_of

if TYPE_CHECKING:
    from longpanda.types import Score

__all__ = ["ERRORS_IN_A_ROW", "lines_of", "require_answers"]


def lines_of(scores: "Sequence[Score]") -> Iterator[str]:
    """Yield the number of errors, the accuracy of the answered questions, and the first error of each kind."""
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
    """Raises IncompleteError if questions have no answer, so that the results of the run are incomplete."""
    from longpanda.errors import IncompleteError, counted

    if failed := sum(score.error is not None for score in scores):
        found = f"{failed:,} of {counted(len(scores), 'question')} without an answer"
        again = "run the same command again" + ("" if is_asked_again else " without --no-retry-errors")
        raise IncompleteError(found, "an answer to each", f"{again}, which asks only these")
