"""The commit that the code was at."""

import subprocess
from pathlib import Path


def commit() -> str | None:
    """The commit of this source tree, with "-dirty" where it was changed; None where it is installed without git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ran.stdout.strip()
