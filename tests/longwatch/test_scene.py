import json
from dataclasses import replace

import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch import Card, Lamp, Move, Scene, Shot, Topic, generate, generate_still


@pytest.mark.parametrize("seed", range(20))
def test_json_round_trip_gives_the_scene_and_the_bytes_back(seed):
    for scene in (generate(seed, 180.0), generate_still(seed, 5)):
        text = scene.to_json()
        assert Scene.from_json(text) == scene
        assert Scene.from_json(text).to_json() == text


def test_json_does_not_depend_on_the_order_of_keys():
    scene = generate(1, 180)
    document = json.loads(scene.to_json())
    assert Scene.from_json(json.dumps(dict(reversed(document.items())), indent=2)).to_json() == scene.to_json()


def test_duration_given_as_int_or_float_is_the_same_scene():
    assert generate(1, 64).to_json() == generate(1, 64.0).to_json()


def _changed(change):
    document = json.loads(generate(1, 180).to_json())
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(durations=3), "duration_seconds"),
        (lambda d: d.pop("topics"), "topics"),
        (lambda d: d.update(version=9), "version 9"),
        (lambda d: d["events"][0].update(kind="carp"), "carp"),
        (lambda d: d["events"][0].update(colors="red"), "colors"),
        (lambda d: d["events"][0].update(end_seconds=500.0), "500"),
        (lambda d: d["shots"][0].update(background=3), "Background"),
        (lambda d: d["shots"][0].update(start_seconds=1.0), "the first at 0"),
        (lambda d: d.update(shots=[]), "the first at 0"),
        (lambda d: d["topics"][0].update(chance=-1), "-1"),
        (lambda d: d["events"][0].update(sign="red lion"), "red lion|sign"),
        (lambda d: d["shots"][0]["background"].update(pan_x_period_seconds=0), "positive periods"),
        (lambda d: d.update(events=3), "wrong type"),
        (lambda d: d.update(duration_seconds="long"), "wrong type"),
        (lambda d: d.update(duration_seconds=0), "duration_seconds 0"),
    ],
)
def test_a_wrong_document_is_refused_by_name(change, message):
    with pytest.raises(ConfigError, match=message):
        Scene.from_json(_changed(change))


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_text_that_is_no_scene_is_refused(text):
    with pytest.raises(ConfigError):
        Scene.from_json(text)


def test_events_outside_the_world_are_refused():
    card = Card(0, 8, 1, "red", "circle", 47)
    for change in ({"colour": "pink"}, {"shape": "star"}, {"number": 9}, {"number": 100}, {"cell": 0}, {"dx": 0.03}):
        with pytest.raises(ConfigError):
            replace(card, **change)
    with pytest.raises(ConfigError, match="orange"):
        Lamp(0, 8, "orange")
    with pytest.raises(ConfigError, match="chance"):
        Topic("count", "red", 1.5)
    with pytest.raises(ConfigError, match="shot"):
        Shot(-1.0, generate(1, 180).shots[0].background)
    for thing, place in (("cup", "left"), ("ball", "top")):
        with pytest.raises(ConfigError):
            Move(0, 8, thing, place)
