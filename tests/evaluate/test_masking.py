"""What is stored and shown of an address or a command has no secret in it."""

import shlex

import pytest

from longpanda.evaluate import Command
from longpanda.evaluate.masking import masked, masked_command
from longpanda.types import Sample


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:HUSH@host:80/v1", "https://MASKED@host:80/v1"),
        ("https://HUSH@host/v1", "https://MASKED@host/v1"),
        ("https://me:a@HUSH@host/v1", "https://MASKED@host/v1"),
        ("https://host/v1?api_key=HUSH&version=2", "https://host/v1?api_key=MASKED&version=2"),
        ("https://host/v1?version=2&access-token=HUSH#x", "https://host/v1?version=2&access-token=MASKED#x"),
        ("https://host/v1?key=HUSH", "https://host/v1?key=MASKED"),
        ("https://host/v1@2?version=2", "https://host/v1@2?version=2"),
    ],
)
def test_urls(url, shown):
    assert masked(url) == shown


@pytest.mark.parametrize(
    "command",
    [
        "API_KEY=HUSH python ask.py",
        "env HF_TOKEN='HUSH HUSH' python ask.py",
        "python ask.py --api-key HUSH",
        "python ask.py --api-key=HUSH",
        "python ask.py --apikey HUSH",
        "python ask.py --token 'HUSH HUSH' --frames 8",
        "python ask.py --hf_token HUSH",
        "python ask.py --password=HUSH",
        "python ask.py --Client-Secret HUSH",
        "python ask.py --url https://me:HUSH@host",
        "sh -c 'API_KEY=HUSH python ask.py --token HUSH'",
        'bash -lc "cd x && TOKEN=\\"HUSH HUSH\\" python ask.py"',
        "ssh host 'python ask.py --key HUSH'",
        "curl -H 'Authorization: Bearer HUSH' -H 'x-api-key: HUSH' http://host",
        """python ask.py --settings '{"api_key": "HUSH", "frames": 8}'""",
    ],
)
def test_commands(command):
    shown = masked_command(shlex.split(command))
    assert "HUSH" not in shown
    assert "MASKED" in shown
    assert shown == masked_command(shlex.split(command.replace("HUSH", "OTHER")))


@pytest.mark.parametrize(
    "command",
    [
        "python ask.py --max-tokens 64 --key-variable OPENAI_API_KEY --keyframes 8 --tokenizer x",
        "python ask.py --use-auth-token --frames 8",
        "python 'my script.py' --prompt \"don't count the tokens\"",
        "sh -c 'python ask.py'",
        """python -c 'print("a")'""",
    ],
)
def test_what_is_no_secret_stays(command):
    assert shlex.split(masked_command(shlex.split(command))) == shlex.split(command)


def test_two_commands_that_differ_in_more_than_secrets_stay_two():
    one, two = (masked_command(shlex.split(f"sh -c 'KEY=HUSH python {name}.py'")) for name in "ab")
    assert one != two


def test_errors_do_not_tell(tmp_path):
    ask = Command(["no-such-program", "--api-key", "HUSH"], tmp_path, 1.0).watch("v")
    with pytest.raises(Exception, match="no-such-program --api-key MASKED") as caught:
        ask(Sample("?", "", "f"))
    assert "HUSH" not in str(caught.value)
