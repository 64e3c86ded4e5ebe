"""Records of annotation files: what is read, and what is refused by name."""

import json

import pytest

from longpanda.data.schema import Fault, Media, RecordError, parse_record, read_record
from longpanda.types import Turn

QUESTION = {"from": "human", "value": "<image>\nWhat happens?"}
ANSWER = {"from": "gpt", "value": "A cup falls."}
RECORD = {"id": "r1", "video": "a/b.mp4", "conversations": [QUESTION, ANSWER]}


def _asked(*texts, **media):
    """A record whose user turns say these texts."""
    turns = [turn for text in texts for turn in ({"from": "human", "value": text}, ANSWER)]
    return media | {"conversations": turns}


def test_a_record_is_media_and_turns_with_markers():
    record = parse_record(json.dumps(RECORD))
    assert (record.id, record.kind, record.media) == ("r1", "video", (Media("video", "a/b.mp4"),))
    assert record.turns == (Turn("user", "<|video|>\nWhat happens?"), Turn("assistant", "A cup falls."))


@pytest.mark.parametrize(
    ("changes", "kind", "media"),
    [
        ({"video": "a.mp4", "start": "3", "end": 9.25}, "video", (Media("video", "a.mp4", 3.0, 9.25),)),
        ({"video": ["a.mp4"]}, "video", (Media("video", "a.mp4"),)),
        ({"video": "a.mp4", "duration": 12}, "video", (Media("video", "a.mp4", stated_seconds=12.0),)),
        ({"video": "a.mp4", "duration": "long"}, "video", (Media("video", "a.mp4"),)),
        ({"video": "a.mp4", "duration": 5, "start": 3, "end": 8}, "video", (Media("video", "a.mp4", 3.0, 8.0),)),
        ({"video": None, "image": "a.jpg"}, "image", (Media("image", "a.jpg"),)),
        ({"image": None, "id": 7, "fps": 30}, "video", (Media("video", "a/b.mp4"),)),
    ],
)
def test_media_are_read(changes, kind, media):
    record = read_record(RECORD | changes)
    assert (record.kind, record.media) == (kind, media)


def test_text_alone_is_a_record():
    turns = [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Hi"}, ANSWER]
    record = read_record({"image": None, "conversations": turns})
    assert (record.kind, record.media, [turn.role for turn in record.turns]) == (
        "text",
        (),
        ["system", "user", "assistant"],
    )


@pytest.mark.parametrize(
    ("record", "texts"),
    [
        (_asked("Describe it.\n<video>", video="a.mp4"), ["Describe it.\n<|video|>"]),
        (_asked("First <image>, then <image>?", image=["a.jpg", "b.png"]), ["First <|video|>, then <|video|>?"]),
        (_asked("<image>\nWho?", "And now?", video="a.mp4"), ["<|video|>\nWho?", "And now?"]),
        (_asked("<image>\nA?", "<image>\nB?", image=["a.jpg", "b.jpg"]), ["<|video|>\nA?", "<|video|>\nB?"]),
        (_asked("<image>\nWhat does the <image> tag do?", video="a.mp4"), ["<|video|>\nWhat does the <image> tag do?"]),
    ],
)
def test_placeholders_stay_where_they_stand_in_the_turn(record, texts):
    assert [turn.text for turn in read_record(record).turns if turn.role == "user"] == texts


def test_a_placeholder_in_an_answer_is_text():
    turns = [QUESTION, {"from": "gpt", "value": "It says <image>."}]
    assert read_record(RECORD | {"conversations": turns}).turns[1].text == "It says <image>."


def test_names_of_openai_are_read():
    turns = [{"role": "user", "content": "<image>\nx"}, {"role": "assistant", "content": "y"}]
    assert [turn.role for turn in read_record({"video": "a.mp4", "messages": turns}).turns] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"video": "a.mp4", "question": "What?", "answer": "Tea."}, "<|video|>\nWhat?"),
        ({"image": ["a.jpg"], "question": "What?", "answer": "Tea."}, "<|video|>\nWhat?"),
        ({"video": ["a.mp4", "b.mp4"], "question": "What?", "answer": "Tea."}, "<|video|>\n<|video|>\nWhat?"),
        ({"image": ["a.jpg", "b.jpg"], "question": "What?", "answer": "Tea."}, "<|video|>\n<|video|>\nWhat?"),
        ({"video": "a.mp4", "question": "In <video>, what?", "answer": "Tea."}, "In <|video|>, what?"),
        ({"question": "What?", "answer": "Tea."}, "What?"),
    ],
)
def test_the_short_form_is_one_question(record, text):
    assert [turn.text for turn in read_record(record).turns] == [text, "Tea."]


@pytest.mark.parametrize(
    ("changes", "fault", "message"),
    [
        ({"start": 8.0, "end": 4.0}, Fault.SPAN, "start 8 s, end 4 s"),
        ({"start": 8.0}, Fault.SPAN, "start 8.0, end null"),
        ({"start": "soon", "end": 9}, Fault.SPAN, 'start "soon"'),
        (
            {"conversations": [{"from": "human", "value": "no placeholder"}, ANSWER]},
            Fault.PLACEHOLDER_COUNT,
            "0 placeh",
        ),
        (
            {"conversations": [{"from": "human", "value": "<image>\n<image>\nx"}, ANSWER]},
            Fault.PLACEHOLDER_COUNT,
            "2 pl",
        ),
        ({"video": None, "image": ["a.jpg"] * 3}, Fault.PLACEHOLDER_COUNT, "1 placeholder for 3"),
        ({"video": None}, Fault.PLACEHOLDER_COUNT, "1 placeholder for 0"),
        ({"conversations": [ANSWER, QUESTION, ANSWER]}, Fault.TURNS, "turns of assistant, user, assistant"),
        ({"conversations": [QUESTION]}, Fault.TURNS, "turns of user;"),
        ({"conversations": []}, Fault.TURNS, "no conversation"),
        ({"conversations": None}, Fault.TURNS, "no conversation"),
        ({"conversations": ["hi"]}, Fault.TURNS, 'the turn "hi"'),
        ({"conversations": [QUESTION, ANSWER | {"from": "robot"}]}, Fault.TURNS, 'a turn from "robot"'),
        ({"conversations": [QUESTION, ANSWER | {"value": 7}]}, Fault.TURNS, "a turn that says 7"),
        ({"conversations": [QUESTION, ANSWER | {"value": " "}]}, Fault.EMPTY_ANSWER, "an answer without text"),
        ({"conversations": [{"from": "human", "value": "<image>"}, ANSWER]}, Fault.EMPTY_QUESTION, "without text"),
        ({"conversations": [QUESTION, ANSWER | {"value": "<|video|>"}]}, Fault.MARKER, r"<\|video\|> in the text"),
        ({"image": "a.jpg"}, Fault.MEDIA, "both image and video"),
        ({"video": 7}, Fault.MEDIA, "video 7"),
        ({"video": "../../etc/passwd"}, Fault.PATH, "path '../../etc/passwd'"),
        ({"video": "/etc/passwd"}, Fault.PATH, "path '/etc/passwd'"),
        ({"video": "C:\\a.mp4"}, Fault.PATH, "path 'C:"),
    ],
)
def test_what_cannot_be_used_is_named(changes, fault, message):
    with pytest.raises(RecordError, match=message) as caught:
        read_record(RECORD | changes)
    assert caught.value.fault is fault


@pytest.mark.parametrize("line", [b"{", b"[1]", b"\xff", b"null"])
def test_what_is_no_object_is_named(line):
    with pytest.raises(RecordError) as caught:
        parse_record(line)
    assert caught.value.fault is Fault.JSON
