"""When a run stops asking: after many errors in a row, and after one that all other questions would end in, too."""

from typing import TYPE_CHECKING, Final

from longpanda.errors import ErrorKind, IncompleteError

if TYPE_CHECKING:
    from longpanda.types import Score

ERRORS_IN_A_ROW: Final = 20
"""After so many a system is taken to be down."""


class ErrorsInARow:
    """Counts errors as scores come, and stops a run that asks in vain.

    Args:
        most: stop after so many.
    """

    def __init__(self, most: int = ERRORS_IN_A_ROW) -> None:
        self.most, self.number = most, 0

    def count(self, score: "Score") -> None:
        """One more score.

        Raises:
            IncompleteError: no other question will be answered, because of the key, the model or the address; or too
                many in a row were not.
        """
        self.number = self.number + 1 if score.error else 0
        if score.error is None:
            return
        found, remedy = parts_of(score.error)
        again = f"{remedy}; then run the same command again, which goes on"
        if score.error_kind == ErrorKind.DENIED:
            raise IncompleteError(found, "a system that answers", again)
        if self.number >= self.most:
            raise IncompleteError(f"{self.number} errors in a row, the last: {found}", "a system that answers", again)


def parts_of(error: str) -> tuple[str, str]:
    """What happened and what to do, of an error's words, without what was expected."""
    found, _, rest = error.partition("; expected ")
    return found, rest.rpartition("; ")[2]
