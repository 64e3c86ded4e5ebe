"""When a run stops: after many errors in a row, or after one error that every other question would also end in."""

from typing import TYPE_CHECKING, Final

from longpanda.errors import ErrorKind, IncompleteError

if TYPE_CHECKING:
    from longpanda.types import Score

ERRORS_IN_A_ROW: Final = 20
"""After this many consecutive errors a system is considered down."""


class ErrorsInARow:
    """Counts consecutive errors, and stops a run whose questions get no answers.

    Args:
        most: number of consecutive errors that stops the run.
    """

    def __init__(self, most: int = ERRORS_IN_A_ROW) -> None:
        self.most, self.number = most, 0

    def count(self, score: "Score") -> None:
        """Take one more score into account.

        Raises:
            IncompleteError: the key, the model or the address is refused, so that no other question can be answered;
                or too many questions in a row got no answer.
        """
        self.number = self.number + 1 if score.error else 0
        if score.error is None:
            return
        found, remedy = parts_of(score.error)
        again = f"{remedy}; then run the same command again, which continues"
        if score.error_kind == ErrorKind.DENIED:
            raise IncompleteError(found, "a system that answers", again)
        if self.number >= self.most:
            raise IncompleteError(f"{self.number} errors in a row, the last: {found}", "a system that answers", again)


def parts_of(error: str) -> tuple[str, str]:
    """Split the text of an error into what was found and what to do, without what was expected."""
    found, _, rest = error.partition("; expected ")
    return found, rest.rpartition("; ")[2]
