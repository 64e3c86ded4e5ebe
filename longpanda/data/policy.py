"""What becomes of records that cannot be used: training stops, or leaves out up to a stated share and counts them."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from longpanda.data.conversations import TooLongError
from longpanda.data.media_facts import MediaError
from longpanda.data.schema import RecordError
from longpanda.errors import ConfigError, LongPandaError, counted, nearest

ON_BAD: Final = ("fail", "skip")
LEAST_SEEN: Final = 100
"""A source's share is judged as if at least so many of its records had been seen: the first may be a bad one."""
_LOGGED: Final = 3
"""Records that are named in the log, of each source and reason."""
_LOG = logging.getLogger(__name__)


class BadDataError(LongPandaError):
    """Records that cannot be used, more of them than the recipe allows."""


@dataclass(frozen=True)
class BadData:
    """What a recipe says of records that cannot be used.

    Nothing is ever put in the place of such a record.

    Args:
        on_bad: "fail", or "skip" to leave them out.
        most_share: of the records of each source that may be left out.

    Raises:
        ConfigError: another word, or a share that is not between 0 and 1.
    """

    on_bad: str = "fail"
    most_share: float = 0.01

    def __post_init__(self) -> None:
        if self.on_bad not in ON_BAD:
            raise ConfigError(f"on_bad: '{self.on_bad}'", " or ".join(ON_BAD), nearest(str(self.on_bad), ON_BAD))
        if not isinstance(self.most_share, int | float) or not 0 <= self.most_share <= 1:
            raise ConfigError(f"most_share {self.most_share!r}", "a share from 0 to 1", "write for example 0.01")

    def check(self, source: str, reasons: Mapping[str, int], records: int) -> None:
        """Refuse a source of which too much cannot be used.

        Args:
            source: its name.
            reasons: how many of its records cannot be used, by reason.
            records: how many it has.

        Raises:
            BadDataError: any record with "fail", or more than the share with "skip".
        """
        bad = sum(reasons.values())
        if not bad or (self.on_bad == "skip" and bad <= self.most_share * records):
            return
        listed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=lambda one: -one[1]))
        found = f"{bad:,} of {counted(records, 'record')} of '{source}' cannot be used ({listed})"
        if self.on_bad == "fail":
            remedy = "fix them, or set on_bad: skip with a most_share"
            raise BadDataError(found, "none with on_bad: fail", remedy)
        expected = f"at most {self.most_share:.2%} (most_share: {self.most_share:g})"
        raise BadDataError(found, expected, "fix them, leave the source out, or allow a larger share")


def reason_of(error: LongPandaError) -> str:
    """Why a record cannot be used, in the words that reports count."""
    if isinstance(error, MediaError):
        return str(error.fault)
    if isinstance(error, RecordError):
        return error.fault.name.lower().replace("_", " ")
    return "longer than the budget" if isinstance(error, TooLongError) else "refused by the chat format"


@dataclass
class SkipCounts:
    """Records of a run that were shown, and those that were left out.

    Args:
        policy: how many may be.
        seen: by source.
        skipped: by source and reason.
    """

    policy: BadData
    seen: Counter[str] = field(default_factory=Counter)
    skipped: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def saw(self, source: str, error: LongPandaError | None = None) -> None:
        """Count one record.

        Args:
            source: its name.
            error: why it is left out; None if it is shown.

        Raises:
            BadDataError: the policy does not allow that; its cause is `error`.
        """
        self.seen[source] += 1
        if error is None:
            return
        reasons = self.skipped[source]
        reason = reason_of(error)
        reasons[reason] += 1
        if reasons[reason] <= _LOGGED:
            more = "; more of this kind are counted only" if reasons[reason] == _LOGGED else ""
            _LOG.warning("left out of '%s': %s%s", source, error, more)
        try:
            self.policy.check(source, reasons, max(self.seen[source], LEAST_SEEN))
        except BadDataError as refused:
            found = f"{refused.found}; the last one: {error.found}"
            raise BadDataError(found, refused.expected, refused.remedy) from error

    def lines(self) -> list[str]:
        """A line for each source of which something was left out."""
        return [
            f"{source}: {sum(reasons.values()):,} of {self.seen[source]:,} left out "
            f"({', '.join(f'{count:,} {reason}' for reason, count in reasons.most_common())})"
            for source, reasons in self.skipped.items()
            if reasons
        ]
