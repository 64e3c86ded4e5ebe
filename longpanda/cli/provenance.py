"""What results were made with: what makes two of them comparable, and what is only noted."""

import argparse
import hashlib
import json
import os
import platform
import shlex
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from longpanda.cli.endpoint_options import (
    answer_tokens,
    endpoint_model,
    is_waited_for,
    patience_seconds,
    request_of,
    timeout_seconds,
)

ENDPOINT_FRAMES = 64
"""Sent to a server where nobody says."""


def configuration(options: argparse.Namespace) -> dict[str, Any]:
    """What makes two results comparable: going on with a file under another one is refused.

    A model is its weights and files and the name of its folder, wherever that is, and its number format where that is
    not the one it was saved in; a command is its words, and the contents of the files that it names. Secrets are
    masked, so that a new key changes nothing.

    Raises:
        ConfigError: the folder holds no complete suite, the command's quotes are not closed, or a server cannot be
            asked so.
        ModelError: no such model.
    """
    from longpanda import __version__
    from longpanda.evaluate.masking import masked, masked_command

    who: dict[str, Any] = {}
    if options.model is not None:
        folder = Path(options.model)
        name = folder.resolve().name if folder.is_dir() else options.model
        who = {"model": name, "model_sha256": _model_sha256(options.model)}
        who |= {} if options.dtype in (None, _saved_dtype(options.model)) else {"dtype": options.dtype}
    if options.command is not None:
        words = words_of(options.command)
        who = {"command": masked_command(words), **_program_sha256(words)}
    if options.endpoint is not None:
        request = request_of(options)
        who = {
            "endpoint": masked(options.endpoint),
            "endpoint_model": endpoint_model(options),
            "temperature": request.temperature,
            "limit_field": request.limit_field,
        }
        if request.extra:
            who["extra_body"] = masked(json.dumps(request.extra))
    if options.oracle:
        who = {"oracle": True}
    for name in ("choices", "unverified"):
        if getattr(options, name):
            who[name] = True
    frames = options.frames or (ENDPOINT_FRAMES if options.endpoint is not None else None)
    return {"longpanda": __version__, "suite_sha256": suite_sha256(options.folder), "frames": frames, **who}


def notes(options: argparse.Namespace) -> dict[str, Any]:
    """What may differ from one start to the next: the commit, the machine, and how patiently it was asked.

    The longest answer is among them: answers that were whole stay so when more is allowed, and the others are asked
    again.
    """
    import numpy

    from longpanda.train.commit import commit

    versions = {
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        **(_of_models() if options.model is not None else {}),
    }
    versions |= {} if options.device is None else {"device": options.device}
    how: dict[str, Any] = {"workers": options.workers}
    if is_waited_for(options):
        how["timeout_seconds"] = timeout_seconds(options)
    if options.command is None and not options.oracle:
        how["answer_tokens"] = answer_tokens(options)
    if options.endpoint is not None:
        how["patience_seconds"] = patience_seconds(options)
    return {"commit": commit(), "platform": platform.platform(), **versions, **how}


def suite_sha256(folder: Path) -> str:
    """What tells a suite from any other. Raises ConfigError for a folder that holds none."""
    from longpanda.longwatch.manifest import manifest_of

    return hashlib.sha256(manifest_of(folder).read_bytes()).hexdigest()


def words_of(command: str) -> list[str]:
    """The words of a command, as a shell would split them. Raises ConfigError where there are none."""
    from longpanda.errors import ConfigError

    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"--command with a mistake ({error})", "a command as in a shell", "close it") from error
    if not words:
        raise ConfigError("an empty --command", "a program and its arguments", "name one")
    return words


def _program_sha256(words: list[str]) -> dict[str, str]:
    """Of the contents of all files that a command names, such as its program; nothing where it names none.

    Values of --options are left out: those may be files that the program writes, or that hold a secret.
    """
    meant = [word for before, word in pairwise(["", *words]) if not before.startswith("--")]
    named = [Path(word) for word in meant if os.path.isfile(word) and os.access(word, os.R_OK)]
    return {"program_sha256": _sha256_of(named)} if named else {}


def _of_models() -> dict[str, Any]:
    import torch
    import transformers

    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"torch": torch.__version__, "transformers": transformers.__version__, "accelerator": accelerator}


def _model_sha256(name: str) -> str:
    """Of the names and contents of all files that are a model: weights, configuration, tokenizer, of an adapter both's.

    Raises:
        ModelError: no such model.
    """
    from longpanda.inference.load import MODEL_FILES, folders_of

    files = ({path for pattern in MODEL_FILES for path in folder.glob(pattern)} for folder in folders_of(name))
    return _sha256_of(path for found in files for path in sorted(found))


def _saved_dtype(name: str) -> str:
    """The number format that a model was saved in, "" where it does not say. Raises ModelError for no such model."""
    from longpanda.inference.load import load_config

    return str(load_config(name).dtype or "").removeprefix("torch.")


def _sha256_of(paths: Iterable[Path]) -> str:
    """Of the names of files, without folders, and their contents."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            total.update(f"{path.name}\n{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()
