"""Finds the newest complete checkpoint of a stage, from which a killed run resumes."""

import errno
import json
import os
import pickle
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers.trainer_pt_utils import safe_globals

from longpanda.errors import ConfigError

BROKEN = "broken-"
"""Prefix of the names of incomplete checkpoints, which are renamed."""
_SHARDS = "model.safetensors.index.json"


def last_whole_checkpoint(folder: Path, processes: int, is_main_process: bool) -> str | None:
    """Return the newest checkpoint in a stage's folder that every process wrote completely, or None.

    Args:
        folder: the stage's folder.
        processes: number of processes that wrote it.
        is_main_process: whether this is rank 0, which renames incomplete checkpoints. All processes find the same one.

    Raises:
        ConfigError: a checkpoint cannot be read.
    """
    numbered = {path.name.removeprefix("checkpoint-"): path for path in folder.glob("checkpoint-*")}
    for number in sorted(filter(str.isdecimal, numbered), key=int, reverse=True):
        if _is_whole(numbered[number], processes):
            return str(numbered[number])
        if is_main_process:
            aside = folder / f"{BROKEN}{numbered[number].name}"
            shutil.rmtree(aside, ignore_errors=True)
            os.replace(numbered[number], aside)
    return None


def _is_whole(checkpoint: Path, processes: int) -> bool:
    """Return whether a checkpoint is complete.

    Rank 0 writes trainer_state.json last, and each process writes the state of its random generators last. After a
    power cut any file may be truncated, so weights and optimiser are opened, too.
    """
    names = ["rng_state.pth"] if processes == 1 else [f"rng_state_{rank}.pth" for rank in range(processes)]
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())
        for name in _weights(checkpoint):
            with safe_open(checkpoint / name, framework="pt") as weights:
                weights.keys()
        with safe_globals():
            for name in ["optimizer.pt", *names]:
                torch.load(checkpoint / name, map_location="cpu", weights_only=True, mmap=True)
    except (FileNotFoundError, ValueError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError):
        return False
    except OSError as error:
        if error.errno == errno.EINVAL:  # truncated before an offset that torch reads
            return False
        found = f"checkpoint '{checkpoint}' cannot be read ({error.strerror})"
        remedy = "try again, or move the checkpoint away to resume without it"
        raise ConfigError(found, "readable files", remedy) from error
    return True


def _weights(checkpoint: Path) -> list[str]:
    """Return the names of the weight files; large models have several, listed in an index."""
    if not (index := checkpoint / _SHARDS).exists():
        return ["model.safetensors"]
    return sorted(set(json.loads(index.read_text())["weight_map"].values()))
