"""Signals end the program as Ctrl-C does: one line, the right exit code, and what was being written is whole."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from longpanda.cli import signals
from longpanda.cli.main import main

ENDS = ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129))


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number, _ in ENDS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_signal_ends_at_once_through_every_block(number, code, film, monkeypatch, capsys):
    tidied = []

    def stopped(_path):
        print("so far")
        try:
            os.kill(os.getpid(), number)
        finally:
            tidied.append(True)

    monkeypatch.setattr("longpanda.video.probe", stopped)
    assert main(["probe", film]) == code
    assert tidied == [True]
    assert capsys.readouterr() == ("so far\n", "longpanda: stopped\n")


def test_what_somebody_chose_to_ignore_stays_ignored():
    """As nohup does for SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals.catch()
    os.kill(os.getpid(), signal.SIGHUP)
    with signals.held() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.event.is_set()
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_held_the_first_signal_waits_and_the_second_does_not(number, code, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    signals.catch()
    before = signal.getsignal(number)
    with signals.held() as stop:
        stop.leave()
        os.kill(os.getpid(), number)
        assert stop.event.is_set()
        with pytest.raises((KeyboardInterrupt, signals.Stopped)) as ended:
            os.kill(os.getpid(), number)
    with pytest.raises((KeyboardInterrupt, signals.Stopped)):
        stop.leave()
    assert number == signal.SIGINT or ended.value.code == code
    assert signal.getsignal(number) is before


def test_of_several_processes_each_hears_the_echoes_of_one_signal(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with signals.held() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.number == signal.SIGINT


def test_a_worker_process_leaves_signals_to_who_started_it():
    """They reach all of them: Ctrl-C in a terminal, a system manager that ends a whole group."""
    with signals.held() as stop:
        child = os.fork()
        if not child:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(7 if not stop.event.is_set() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_held_in_a_thread_does_nothing():
    found = []

    def other():
        with signals.held() as stop:
            found.append(stop.event.is_set())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [False]


TRAIN = """
name: small
model:
  stab_size: nano
  text: {model_type: llama, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2}
  sampling: {frames: 2}
stages:
  - {name: one, steps: 1000000, batch: 1, learning_rate: 1e-3, data: {kind: longwatch, frames: [2], families: [count]}}
workers: 1
threads: 1
save_steps: 1000000
"""


def test_training_ends_with_a_checkpoint(tmp_path):
    """The signal goes to the worker that renders, too."""
    (tmp_path / "small.yaml").write_text(TRAIN)
    out = tmp_path / "run"
    command = [sys.executable, "-m", "longpanda", "train", str(tmp_path / "small.yaml"), "--out", str(out)]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list((out / "0-one").glob("runs/*/*")):  # made when training begins
        assert running.poll() is None
    os.killpg(running.pid, signal.SIGTERM)
    said, errors = running.communicate(timeout=100)
    assert (running.returncode, errors) == (143, "longpanda: stopped\n")
    step = int(said.split("has a checkpoint after step ")[1].split()[0])
    assert (out / f"0-one/checkpoint-{step}/trainer_state.json").exists()
    assert not (out / "0-one/done.pt").exists()


def test_a_suite_that_is_being_made_is_left_at_once(tmp_path):
    """A film of 24 hours, which takes half an hour, is not finished first."""
    plan = "--minutes 1440 --per-cell 1 --seed 6 --split dev --size-px 96 --families needle --workers 1"
    command = [sys.executable, "-m", "longpanda", "longwatch", "make", *plan.split(), "--out", str(tmp_path / "suite")]
    making = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path / "suite").glob("videos/.*.mp4")):  # the film's name while it is written
        assert making.poll() is None
    making.terminate()
    said = making.communicate(timeout=200)
    assert (making.returncode, said) == (143, ("", "longpanda: stopped\n"))
