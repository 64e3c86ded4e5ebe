"""Training as a user starts it: in processes of its own, several at once, and killed without warning."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
import torch
import yaml
from tiny import SMALLEST_TEXT

from longpanda.cli.main import main
from longpanda.errors import ConfigError
from longpanda.inference import load
from longpanda.train.claim import claim
from longpanda.train.recipe import load_recipe

RECIPE = {
    "name": "test",
    "workers": 1,
    "threads": 1,
    "save_steps": 2,
    "log_steps": 1,
    "model": {
        "stab_size": "nano",
        "text": SMALLEST_TEXT | {"attention_dropout": 0.1},
        "sampling": {"frames": 4},
    },
    "stages": [
        {
            "name": "cells",
            "steps": 2,
            "batch": 1,
            "learning_rate": 1.0e-3,
            "data": {"kind": "longwatch", "frames": [1, 2], "stills": True},
        },
        {
            "name": "ask",
            "steps": 3,
            "batch": 1,
            "learning_rate": 1.0e-3,
            "data": {"kind": "longwatch", "frames": [2, 3], "families": ["needle"]},
        },
    ],
}
MODULE = ["-m", "longpanda"]
LONG = ["stages.1.steps=40", "save_steps=8"]
TWO = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def command(tmp_path, *overrides, before=(), out="run"):
    """`longpanda train` in a process of its own."""
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(RECIPE))
    arguments = ["train", str(tmp_path / "small.yaml"), *overrides, "--out", str(tmp_path / out)]
    return [sys.executable, *before, *MODULE, *arguments]


def run(words):
    return subprocess.run(words, capture_output=True, text=True, check=False)


def weights(folder):
    return load(str(folder)).model.state_dict()


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo, by which processes on CPUs share gradients",
)
def test_two_processes_train_one_model(tmp_path, environment):
    ran = run(command(tmp_path, before=TWO))
    assert ran.returncode == 0, ran.stderr
    assert [line for line in ran.stdout.splitlines() if "stage" in line or "the model" in line] == [
        "stage 1 of 2, 'cells', is done",
        "stage 2 of 2, 'ask', is done",
        f"the model is in {tmp_path}/run/model: longpanda ask VIDEO QUESTION --model {tmp_path}/run/model",
    ]
    assert [path.name for path in (tmp_path / "run").glob("model*")] == ["model"]
    (made_with,) = json.loads((tmp_path / "run/model/run.json").read_text())
    assert made_with["processes"] == 2
    assert all(value.isfinite().all() for value in weights(tmp_path / "run/model").values())
    states = {path.name for path in (tmp_path / "run/1-ask/checkpoint-3").glob("rng_state*")}
    assert states == {"rng_state_0.pth", "rng_state_1.pth"}
    recipe = load_recipe(str(tmp_path / "small.yaml"))
    (tmp_path / "run/1-ask/done.pt").unlink()
    with (
        pytest.raises(ConfigError, match=r"1 process for .*1-ask', which was begun with 2"),
        claim(tmp_path / "run", recipe, 1),
    ):
        pass


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo, by which processes on CPUs share gradients",
)
def test_where_one_of_two_processes_is_asked_to_end_both_end_after_the_same_step(tmp_path, environment, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    words = command(tmp_path, "stages.1.steps=100000", "stages.1.data.families=[count]", "save_steps=100000")
    processes = []
    for rank in ("0", "1"):
        each = os.environ | where | {"RANK": rank, "LOCAL_RANK": rank}
        processes.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=each))
    while not list((tmp_path / "run/1-ask/runs").glob("*/*")):  # made when the stage begins
        assert processes[0].poll() is None
        wait(processes[0])
    processes[1].terminate()
    (said, first_errors), _ = (process.communicate(timeout=100) for process in processes)
    assert [process.returncode for process in processes] == [143, 143]
    assert first_errors.endswith("longpanda: stopped\n")
    step = said.split("has a checkpoint after step ")[1].split()[0]
    states = {path.name for path in (tmp_path / f"run/1-ask/checkpoint-{step}").glob("rng_state*")}
    assert states == {"rng_state_0.pth", "rng_state_1.pth"}


def test_a_run_that_is_killed_and_started_again_ends_with_the_same_weights(tmp_path, environment):
    words = command(tmp_path, *LONG)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not list((tmp_path / "run/1-ask").glob("checkpoint-*")):
            assert process.poll() is None, "ended before its first checkpoint"
            wait(process)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "run/model").exists()
    ran = run(words)
    assert ran.returncode == 0, ran.stderr
    assert len(json.loads((tmp_path / "run/run.json").read_text())) == 2

    assert main(command(tmp_path, *LONG, out="whole")[3:]) == 0
    resumed, whole = weights(tmp_path / "run/model"), weights(tmp_path / "whole/model")
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(value, whole[name]) for name, value in resumed.items())


def wait(process):
    """A moment, or until the process ends."""
    try:
        process.wait(0.02)
    except subprocess.TimeoutExpired:
        return
