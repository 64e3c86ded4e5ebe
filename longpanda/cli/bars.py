"""What progress bars of all verbs have in common."""

from typing import Final

BAR_DELAY_SECONDS: Final = 1e-3
"""A bar is drawn with its first step, not before: what is refused is refused in one line."""
