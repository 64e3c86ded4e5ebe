"""Checkpoints of a stage that were written to their end: a run that was killed goes on from the newest."""

import json
import pickle
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers.trainer_pt_utils import safe_globals


def last_whole_checkpoint(folder: Path, processes: int, is_first: bool) -> str | None:
    """The newest checkpoint in a stage's folder that every process wrote to its end.

    Args:
        folder: the stage's.
        processes: how many wrote it.
        is_first: this is the process that writes, which removes the half-written ones; all processes choose alike.
    """
    numbered = {path.name.removeprefix("checkpoint-"): path for path in folder.glob("checkpoint-*")}
    for number in sorted(filter(str.isdecimal, numbered), key=int, reverse=True):
        if _is_whole(numbered[number], processes):
            return str(numbered[number])
        if is_first:
            shutil.rmtree(numbered[number], ignore_errors=True)
    return None


def _is_whole(checkpoint: Path, processes: int) -> bool:
    """The first process writes trainer_state.json last; each writes a state of its random generators last.

    After a power cut any file may be short, whatever was written last: weights and optimiser are opened too.
    """
    names = ["rng_state.pth"] if processes == 1 else [f"rng_state_{rank}.pth" for rank in range(processes)]
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())
        with safe_open(checkpoint / "model.safetensors", framework="pt") as weights:
            weights.keys()
        with safe_globals():
            for name in ["optimizer.pt", *names]:
                torch.load(checkpoint / name, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError):
        return False
    return True
