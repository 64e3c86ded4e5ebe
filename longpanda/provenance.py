"""The commit of the code, and the versions of the software and machine that a result was made with."""

import platform
import subprocess
from pathlib import Path
from typing import Any


def commit() -> str | None:
    """The commit of this source tree, with "-dirty" where it was changed; None where it is installed without git.

    Nothing of the repository is written: `git describe --dirty` would renew its index, and leave a lock there where it
    is ended meanwhile.
    """
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        name = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return name + ("-dirty" if changed else "")


def versions() -> dict[str, Any]:
    """The commit of this code, the operating system, and the versions of Python and NumPy."""
    import numpy

    python = {"python": platform.python_version(), "numpy": numpy.__version__}
    return {"commit": commit(), "platform": platform.platform(), **python}


def model_versions() -> dict[str, Any]:
    """The versions of the libraries that models need, and the accelerator that torch finds, or None."""
    import torch
    import transformers

    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"torch": torch.__version__, "transformers": transformers.__version__, "accelerator": accelerator}


def _git(root: Path, *words: str) -> str:
    ran = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return ran.stdout.strip()
