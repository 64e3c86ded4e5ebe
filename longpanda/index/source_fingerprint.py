"""What tells that an index belongs to a video."""

import hashlib
from pathlib import Path
from typing import Any

_EDGE_BYTES = 2**16


def source_fingerprint(video: Path) -> dict[str, Any]:
    """Of a file: its size, and its first and last 64 KiB. Not its name or date: files are moved and copied."""
    size = video.stat().st_size
    digest = hashlib.sha256()
    with video.open("rb") as file:
        digest.update(file.read(_EDGE_BYTES))
        file.seek(max(0, size - _EDGE_BYTES))
        digest.update(file.read(_EDGE_BYTES))
    return {"bytes": size, "edges": digest.hexdigest()}
