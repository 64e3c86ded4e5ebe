"""What is taken where nobody says; help texts show it, so that nothing heavy is imported here."""

from typing import Final

ENDPOINT_FRAMES: Final = 64
"""Of each video, sent to a server."""
ENDPOINT_MODEL: Final = "default"
PATIENCE_SECONDS: Final = 120.0
TIMEOUT_SECONDS: Final = 300.0
