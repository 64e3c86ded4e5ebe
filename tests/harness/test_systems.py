"""Who can be asked: what makes their results comparable, what stays secret, and who cannot answer."""

import sys

import pytest
from tiny import save, tiny

from longpanda.errors import ConfigError, ModelError
from longpanda.evaluate import Request
from longpanda.harness.questions import Suite
from longpanda.harness.run import Run, ask_all
from longpanda.harness.systems import CommandSystem, EndpointSystem, ModelSystem, OracleSystem

NEVER = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"answer": "never"}), flush=True)
"""


def test_a_command_is_its_words_and_its_files_without_secrets(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(NEVER)
    words = (sys.executable, str(program), "--api-key", "HUSH")
    settings = CommandSystem(words).settings()
    assert "HUSH" not in str(settings)
    assert settings["command"].endswith("--api-key MASKED")
    program.write_text(NEVER + "\n")
    assert CommandSystem(words).settings()["program_sha256"] != settings["program_sha256"]
    assert "program_sha256" not in CommandSystem(("cat",)).settings()


def test_a_command_answers(suite, tmp_path):
    scores = ask_all(Run(suite, CommandSystem((sys.executable, "-c", NEVER), 50.0), tmp_path / "r.jsonl"))
    assert [score.reply.text for score in scores] == ["never"] * 4


def test_an_endpoint_keeps_its_key_to_itself():
    request = Request(answer_tokens=900, temperature=0.5, extra={"api_key": "HUSH"})
    system = EndpointSystem("http://me:HUSH@host/v1", key="HUSH", request=request)
    assert "HUSH" not in str(system.settings())
    assert "HUSH" not in repr(EndpointSystem("http://host/v1", key="HUSH"))
    assert (system.settings()["temperature"], system.settings()["frames"]) == (0.5, 64)
    assert system.limits() == {"timeout_seconds": 300.0, "answer_tokens": 900, "patience_seconds": 120.0}


def test_a_model_is_its_files_and_its_number_format(suite, tmp_path):
    folder = save(tiny(), tmp_path / "tiny")
    plain = ModelSystem(str(folder), frames=2).settings()
    assert (plain["model"], plain["frames"]) == ("tiny", 2)
    assert ModelSystem(str(folder), frames=2, dtype="float32").settings() == plain
    assert ModelSystem(str(folder), dtype="bfloat16").settings()["dtype"] == "bfloat16"
    (answerer,) = ModelSystem(str(folder), frames=2, answer_tokens=3).answerers(suite, 1, print)
    reply = answerer.watch(suite.samples()[0].video)(suite.samples()[0])
    assert (len(reply.frames_seconds), bool(reply.text)) == (2, True)


def test_who_cannot_answer_is_refused(suite, tmp_path):
    with pytest.raises(ConfigError, match="no program 'no-such-program'"):
        CommandSystem(("no-such-program", "--key", "HUSH")).answerers(suite, 1, print)
    with pytest.raises(ConfigError, match="expected http://HOST"):
        EndpointSystem("host/v1").answerers(suite, 1, print)
    with pytest.raises(ConfigError, match="the address without /chat/completions"):
        EndpointSystem("http://host/v1/chat/completions").answerers(suite, 1, print)
    with pytest.raises(ModelError, match="no model 'none'"):
        ModelSystem("none").settings()
    with pytest.raises(ConfigError, match="this machine has: cpu"):
        ModelSystem("nano", device="tpu").check()
    with pytest.raises(ConfigError, match="expected one of float32"):
        ModelSystem("nano", dtype="float31").check()
    with pytest.raises(ConfigError):
        OracleSystem().answerers(Suite(tmp_path), 1, print)
