"""The commit that the code was at."""

import subprocess
from pathlib import Path


def commit() -> str | None:
    """The commit of this source tree, with "-dirty" where it was changed; None where it is installed without git.

    Nothing of the repository is written: `git describe --dirty` would renew its index, and leave a lock there where it
    is ended meanwhile.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        name = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return name + ("-dirty" if changed else "")


def _git(root: Path, *words: str) -> str:
    ran = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return ran.stdout.strip()
