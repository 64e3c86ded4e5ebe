"""What results were made with: hashes of the questions and of the system that answers them."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path


def suite_sha256(folder: Path) -> str:
    """Return the hash that identifies a suite. Raises ConfigError for a folder that holds none."""
    from longpanda.longwatch.manifest import manifest_of

    return hashlib.sha256(manifest_of(folder).read_bytes()).hexdigest()


def program_sha256(words: Sequence[str]) -> str:
    """Return the hash of all files that a command names, such as a script; "" if it names none.

    Values of --options are left out: they may be files that the program writes, or that hold a secret.
    """
    meant = [word for before, word in pairwise(["", *words]) if not before.startswith("--")]
    named = [Path(word) for word in meant if os.path.isfile(word) and os.access(word, os.R_OK)]
    return _sha256_of(named) if named else ""


def model_sha256(name: str) -> str:
    """Return the hash of the names and contents of a model's files: weights, configuration and tokenizer.

    For an adapter, that includes the files of the model it adapts.

    Raises:
        ModelError: no such model.
    """
    from longpanda.inference.load import MODEL_FILES, folders_of

    files = ({path for pattern in MODEL_FILES for path in folder.glob(pattern)} for folder in folders_of(name))
    return _sha256_of(path for found in files for path in sorted(found))


def saved_dtype(name: str) -> str:
    """Return the number format a model was saved in, "" if not recorded. Raises ModelError for no such model."""
    from longpanda.inference.load import load_config

    return str(load_config(name).dtype or "").removeprefix("torch.")


def _sha256_of(paths: Iterable[Path]) -> str:
    """Return the hash of the names of files, without folders, and of their contents."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(f"{path.name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()
