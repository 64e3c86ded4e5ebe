"""The picture of results."""

import importlib.util
import io
import sys

import pytest
from results import MEASURES, results

from longpanda.errors import ConfigError
from longpanda.evaluate.figure import draw
from longpanda.evaluate.summary import summarise


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


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.colors", raising=False)
    with pytest.raises(ConfigError, match=r"longpanda\[plots\]"):
        draw([_model(results())])
