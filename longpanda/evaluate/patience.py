"""How long to wait before a request is sent again."""

import random
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_SECONDS: Final = 60.0
"""Longest wait that the server did not ask for."""


def wait_seconds(tries: int, retry_after: str, now_seconds: float) -> float:
    """Return the seconds until the next try: 1, 2, 4, ..., less up to half at random, but at least what was asked for.

    The random part keeps workers that were refused together from returning together.

    Args:
        tries: number of failed tries before this one.
        retry_after: the Retry-After header (RFC 9110, 10.2.3), seconds or a date; "" for none.
        now_seconds: current time in seconds since the epoch.
    """
    own = min(LONGEST_SECONDS, 2.0**tries) * random.uniform(0.5, 1.0)
    return max(own, _asked_seconds(retry_after, now_seconds))


def _asked_seconds(retry_after: str, now_seconds: float) -> float:
    """Return the seconds that the header asks for, or 0 if it is missing or unreadable."""
    try:
        return float(retry_after)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(retry_after).timestamp() - now_seconds
    except (ValueError, TypeError, OverflowError):
        return 0.0
