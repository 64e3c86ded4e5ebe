"""Default values. Help texts show them, so this module must import nothing heavy."""

from typing import Final

ENDPOINT_FRAMES: Final = 64
"""Number of frames of each video that are sent to a server."""
ENDPOINT_MODEL: Final = "default"
PATIENCE_SECONDS: Final = 120.0
TIMEOUT_SECONDS: Final = 300.0
