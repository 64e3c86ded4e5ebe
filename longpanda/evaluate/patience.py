"""How long to wait before a server is asked again."""

import random
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_SECONDS: Final = 60.0
"""Of one wait that nobody asked for."""


def wait_seconds(tries: int, retry_after: str, now_seconds: float) -> float:
    """Seconds until the next try: doubling from one on, at random by up to half less, and never less than asked for.

    At random, so that workers that were refused together do not come back together.

    Args:
        tries: that were in vain before this one, from 0 on.
        retry_after: the header of that name (RFC 9110, 10.2.3): seconds or a date; "" for none.
        now_seconds: since the epoch.
    """
    own = min(LONGEST_SECONDS, 2.0**tries) * random.uniform(0.5, 1.0)
    return max(own, _asked_seconds(retry_after, now_seconds))


def _asked_seconds(retry_after: str, now_seconds: float) -> float:
    """What the header asks for; 0 where it asks for nothing that can be read."""
    try:
        return float(retry_after)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(retry_after).timestamp() - now_seconds
    except (ValueError, TypeError, OverflowError):
        return 0.0
