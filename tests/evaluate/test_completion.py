"""What servers say, in the words that they say it with."""

import json

import pytest

from longpanda.errors import ErrorKind
from longpanda.evaluate.completion import Trouble, read_answer, read_failure
from longpanda.evaluate.unanswered import why_no_answer
from longpanda.types import Reply

FIELDS = ("max_tokens", "temperature", "top_k")


def _answer(message, **more):
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"} | more], "usage": USAGE})


USAGE = {"prompt_tokens": 900, "completion_tokens": 12, "total_tokens": 912}


@pytest.mark.parametrize(
    ("content", "text", "thinking"),
    [
        ("47", "47", ""),
        (None, "", ""),
        ([{"type": "text", "text": "4"}, {"type": "text", "text": "7"}], "47", ""),
        ([{"type": "output_text", "text": "47"}], "47", ""),
        (["4", {"text": "7"}], "47", ""),
        ({"type": "text", "text": "47"}, "47", ""),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "12?"}]}, {"type": "text", "text": "47"}],
            "47",
            "12?",
        ),
        ([{"type": "reasoning", "text": "12?"}, {"type": "text", "text": "47"}], "47", "12?"),
        ([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "12?"}]}, "47"], "47", "12?"),
        ([{"type": "thinking"}, "47"], "47", ""),
        ([{"type": "image_url", "image_url": {"url": "x"}}], "", ""),
        (47, "", ""),
    ],
)
def test_a_content_is_text_or_parts(content, text, thinking):
    found = read_answer(_answer({"content": content}), FIELDS)
    assert isinstance(found, Reply)
    assert (found.text, found.thinking) == (text, thinking)
    assert (found.finish_reason, found.prompt_tokens, found.answer_tokens) == ("stop", 900, 12)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_stands_apart_in_several_fields_and_is_no_answer(name):
    found = read_answer(_answer({"content": "47", name: "12?"}), FIELDS)
    assert (found.text, found.thinking) == ("47", "12?")
    found = read_answer(_answer({"content": None, name: "12?"}), FIELDS)
    assert (found.text, found.thinking) == ("", "12?")


def test_the_same_reasoning_in_two_fields_is_kept_once():
    found = read_answer(_answer({"content": "47", "reasoning": "12?", "reasoning_content": "12?"}), FIELDS)
    assert found.thinking == "12?"


@pytest.mark.parametrize(
    ("message", "text", "end"),
    [
        ({"content": None, "refusal": "I can't."}, "I can't.", "refusal"),
        ({"content": [{"type": "refusal", "refusal": "I can't."}]}, "I can't.", "refusal"),
        ({"content": "47", "refusal": None}, "47", "stop"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "", "tool_calls"),
        ({"content": "47", "tool_calls": []}, "47", "stop"),
    ],
)
def test_refusals_and_calls_of_tools_are_ends(message, text, end):
    found = read_answer(_answer(message), FIELDS)
    assert (found.text, found.finish_reason) == (text, end)


@pytest.mark.parametrize(
    ("usage", "read", "written"),
    [
        (None, None, None),
        ({"input_tokens": 3, "output_tokens": 4}, 3, 4),
        ({"prompt_tokens": "3", "completion_tokens": True}, None, None),
        ({"prompt_tokens": -1, "completion_tokens": 4}, None, 4),
    ],
)
def test_usage_is_kept_where_it_is_told(usage, read, written):
    found = read_answer(json.dumps({"choices": [{"message": {"content": "47"}}], "usage": usage}), FIELDS)
    assert (found.prompt_tokens, found.answer_tokens, found.finish_reason) == (read, written, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!doctype html><title>Bad gateway</title>",
        "[]",
        "null",
        "{}",
        '{"choices": []}',
        '{"choices": null}',
        '{"choices": ["47"]}',
        '{"choices": [{"message": null}]}',
        '{"choices": [{"text": "47"}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_completion_is_malformed_and_not_asked_again(text):
    found = read_answer(text, FIELDS)
    assert isinstance(found, Trouble)
    assert (found.kind, found.may_pass) == (ErrorKind.MALFORMED, False)
    assert len(found.said) < 400


@pytest.mark.parametrize(
    ("answer", "kind", "may_pass"),
    [
        ({"error": {"message": "Provider returned error", "code": 502}}, ErrorKind.FAILED, True),
        ({"error": {"message": "slow down", "code": "429"}}, ErrorKind.BUSY, True),
        ({"error": {"message": "no key", "code": 401}}, ErrorKind.DENIED, False),
        ({"error": "out of memory"}, ErrorKind.FAILED, True),
        ({"error": {"code": "content_filter", "message": "x"}}, ErrorKind.FILTERED, False),
        ({"object": "error", "message": "bad", "code": 400}, ErrorKind.REJECTED, False),
        ({"choices": [{"error": {"code": 503, "message": "x"}, "message": {"content": ""}}]}, ErrorKind.BUSY, True),
        ({"choices": [{"error": {"message": "x"}, "message": {"content": "47"}}]}, ErrorKind.FAILED, True),
    ],
)
def test_an_error_with_status_200_is_the_error_that_it_tells(answer, kind, may_pass):
    found = read_answer(json.dumps(answer), FIELDS)
    assert (found.kind, found.may_pass) == (kind, may_pass)


def test_no_error_beside_an_answer_is_none():
    assert read_answer(_answer({"content": "47"}, error=None), FIELDS).text == "47"


@pytest.mark.parametrize(
    ("status", "said", "kind", "may_pass"),
    [
        (401, "no key", ErrorKind.DENIED, False),
        (402, "no credit", ErrorKind.DENIED, False),
        (403, "forbidden", ErrorKind.DENIED, False),
        (403, {"error": {"metadata": {"reasons": ["x"], "flagged_input": "y"}}}, ErrorKind.FILTERED, False),
        (
            404,
            {"error": {"message": "The model `default` does not exist.", "type": "NotFoundError"}},
            ErrorKind.DENIED,
            False,
        ),
        (308, "", ErrorKind.DENIED, False),
        (400, {"error": {"code": "model_not_found"}}, ErrorKind.DENIED, False),
        (400, {"error": {"details": [{"reason": "API_KEY_INVALID"}]}}, ErrorKind.DENIED, False),
        (429, "slow down", ErrorKind.BUSY, True),
        (429, {"error": {"code": "insufficient_quota", "message": "check your plan"}}, ErrorKind.DENIED, False),
        (429, {"error": {"message": "Request too large for gpt-4o on tokens per min"}}, ErrorKind.TOO_LARGE, False),
        (503, "<html>overloaded</html>", ErrorKind.BUSY, True),
        (529, "overloaded", ErrorKind.BUSY, True),
        (500, "oops", ErrorKind.FAILED, True),
        (502, "<html>bad gateway</html>", ErrorKind.FAILED, True),
        (504, "", ErrorKind.TIMEOUT, True),
        (408, "", ErrorKind.TIMEOUT, True),
        (413, "<html>Request Entity Too Large</html>", ErrorKind.TOO_LARGE, False),
        (400, {"error": {"message": "At most 4 image(s) may be provided in one request."}}, ErrorKind.TOO_LARGE, False),
        (400, {"error": {"message": "Too many images in request. Max is 10."}}, ErrorKind.TOO_LARGE, False),
        (400, {"error": {"message": "too many images and documents: 101 + 0 > 100"}}, ErrorKind.TOO_LARGE, False),
        (400, {"error": {"message": "This model supports up to 5 images"}}, ErrorKind.TOO_LARGE, False),
        (400, {"error": {"message": "Please use fewer than 16 images"}}, ErrorKind.TOO_LARGE, False),
        (400, {"error": {"message": "This model's maximum context length is 4096 tokens"}}, ErrorKind.TOO_LARGE, False),
        (400, {"error": {"code": "context_length_exceeded", "message": "x"}}, ErrorKind.TOO_LARGE, False),
        (500, {"error": {"message": "image input is not supported - hint: mmproj"}}, ErrorKind.DENIED, True),
        (500, {"error": {"message": "at most 4 images"}}, ErrorKind.TOO_LARGE, True),
        (429, {"error": {"message": "Rate limit reached on images per min. Limit: 50"}}, ErrorKind.BUSY, True),
        (400, {"error": {"message": "this model does not support image inputs"}}, ErrorKind.DENIED, False),
        (400, {"error": {"code": "content_filter", "innererror": {"code": "x"}}}, ErrorKind.FILTERED, False),
        (400, {"error": {"message": "bad request"}}, ErrorKind.REJECTED, False),
        (422, {"detail": "no"}, ErrorKind.REJECTED, False),
    ],
)
def test_failures_have_kinds_and_some_pass(status, said, kind, may_pass):
    found = read_failure(status, said if isinstance(said, str) else json.dumps(said), FIELDS, "9")
    assert (found.kind, found.may_pass, found.retry_after) == (kind, may_pass, "9")
    assert f"answered {status}" in found.said


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (
            {"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}},
            ("max_tokens",),
        ),
        (
            {"error": {"message": "Unsupported value: 'temperature' does not support 0 with this model."}},
            ("temperature",),
        ),
        ({"error": {"message": "max_tokens and temperature", "param": "temperature"}}, ("temperature",)),
        ({"detail": [{"loc": ["body", "top_k"], "msg": "Extra inputs", "input": {"temperature": 0}}]}, ("top_k",)),
        ({"message": {"detail": [{"loc": ["body", "top_k"], "input": 4}]}}, ("top_k",)),
        ({"error": {"message": 'Unknown name "top_k": Cannot find field.'}}, ("top_k",)),
        (
            {"error": {"message": "max_tokens is too large: 100000. This model supports at most 16384."}},
            ("max_tokens",),
        ),
        ({"error": {"message": "'max_tokens' is too large: 64. The maximum context length is 4096 tokens"}}, ()),
        ({"error": {"message": "my_temperature is odd"}}, ()),
        ("temperature must not be given", ("temperature",)),
    ],
)
def test_a_field_that_a_server_refuses_is_told_by_its_name(said, refused):
    text = said if isinstance(said, str) else json.dumps(said)
    assert read_failure(400, text, FIELDS).refused == refused
    assert read_failure(503, text, FIELDS).refused == ()


@pytest.mark.parametrize("ended", [1, {"type": "length"}, ["length"]])
def test_an_end_that_is_no_text_is_not_taken_for_a_whole_answer(ended):
    found = read_answer(_answer({"content": "42"}, finish_reason=ended), FIELDS)
    assert isinstance(found, Reply)
    assert found.finish_reason == str(ended)
    assert why_no_answer(found) is not None
