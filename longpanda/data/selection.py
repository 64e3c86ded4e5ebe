"""Which records of an annotation file a mixture uses: the sampling strategies of VideoChat-Flash's yaml files."""

import re
from typing import Final

from longpanda.errors import ConfigError

_FORM: Final = re.compile(r"(?P<side>first|end)(?P<block>[2-9]\d*)?:(?P<amount>\d+)(?P<percent>%)?")
EXPECTED: Final = "all, first:N, first:P%, first2:N (the second block of N), end:N or end:P%"


def selected(strategy: str, count: int) -> range:
    """The numbers of the records that a strategy selects.

    Args:
        strategy: "all"; "first:N" or "first:P%", the beginning; "first2:N", "first3:N", ..., the second, third, ...
            block of N; "end:N", the last N. P % of a file is rounded up to whole records.
        count: records of the file.

    Returns:
        Consecutive record numbers from 0; fewer than N where the file has fewer.

    Raises:
        ConfigError: an unknown strategy. "random" is one: it selects other records in every run.
    """
    if strategy == "all":
        return range(count)
    form = _FORM.fullmatch(strategy)
    if form is None or (form["side"] == "end" and form["block"]):
        raise ConfigError(f"sampling_strategy '{strategy}'", EXPECTED, "use one of these")
    amount = -(-int(form["amount"]) * count // 100) if form["percent"] else int(form["amount"])
    if form["side"] == "end":
        return range(max(0, count - amount), count)
    block = int(form["block"] or 1)
    return range(min(count, (block - 1) * amount), min(count, block * amount))


def check(strategy: str) -> None:
    """Refuse an unknown strategy without counting records. Raises ConfigError as `selected`."""
    selected(strategy, 0)
