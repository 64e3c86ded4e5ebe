"""The picture of results."""

import importlib.util
import io
import sys

import pytest
from results import MEASURES, results

from longpanda.errors import ConfigError
from longpanda.evaluate.figure import draw
from longpanda.evaluate.summarise import summarise


def _model(scores, name="m"):
    return summarise(name, {}, scores, MEASURES)


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="longpanda[plots] is not installed")
@pytest.mark.parametrize("models", [1, 2])
def test_a_picture_shows_every_shade_and_is_the_same_twice(models):
    from PIL import Image

    shown = [_model(results((20, 0), ("needle", r"$\bad$")), rf"$\no {i}$") for i in range(models)]
    picture = draw(shown)
    assert picture == draw(shown)
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    assert image.width == 2100
    colours = {colour for _, colour in image.getcolors(2**24)}
    assert {(0x08, 0x30, 0x6B), (0xF7, 0xFB, 0xFF), (0x00, 0x72, 0xB2)} <= colours
    assert ((0xD5, 0x5E, 0x00) in colours) == (models == 2)


def test_nothing_is_drawn_of_no_answer():
    with pytest.raises(ConfigError, match="no answer that could be drawn"):
        draw([])


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="longpanda[plots] is not installed")
def test_of_one_length_families_stand_in_rows_and_no_model_covers_another():
    from PIL import Image

    models = [_model(results((12,), ("needle", r"$\bad$", "order"), (3.0,)), f"model {i}") for i in range(2)]
    for shown, least, most in ((models[:1], 0.0, 0.0), (models, 0.8, 1.25)):
        image = Image.open(io.BytesIO(draw(shown))).convert("RGB")
        painted = {colour: count for count, colour in image.getcolors(2**24)}
        first, second = (painted.get(colour, 0) for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)))
        assert painted[255, 255, 255] > 0.9 * image.width * image.height, "lines and words, no slabs of colour"
        assert first > 1000
        assert least <= second / first <= most


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.colors", raising=False)
    with pytest.raises(ConfigError, match=r"longpanda\[plots\]"):
        draw([_model(results())])
