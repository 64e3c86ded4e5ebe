"""Checkpoints of a stage that were written to their end: a run that was killed goes on from the newest."""

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
"""Stands before the name of a checkpoint that was set aside."""
_SHARDS = "model.safetensors.index.json"


def last_whole_checkpoint(folder: Path, processes: int, is_main_process: bool) -> str | None:
    """The newest checkpoint in a stage's folder that every process wrote to its end.

    Args:
        folder: the stage's.
        processes: how many wrote it.
        is_main_process: this is the process that writes, which sets aside the half-written ones; all processes choose
            alike.

    Raises:
        ConfigError: the system does not let a checkpoint be read.
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
    """The first process writes trainer_state.json last; each writes a state of its random generators last.

    After a power cut any file may be short, whatever was written last: weights and optimiser are opened too.
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
        if error.errno == errno.EINVAL:  # too short for where torch looks in it
            return False
        found = f"checkpoint '{checkpoint}' cannot be read ({error.strerror})"
        remedy = "try again, or move it away to go on without it"
        raise ConfigError(found, "files that the system reads", remedy) from error
    return True


def _weights(checkpoint: Path) -> list[str]:
    """Names of the files that hold the weights: large models have several, listed in an index."""
    if not (index := checkpoint / _SHARDS).exists():
        return ["model.safetensors"]
    return sorted(set(json.loads(index.read_text())["weight_map"].values()))
