"""An index may have another rate of tokens than its model, and keeps it."""

import re

import pytest
import torch
from tiny import save, squeezing

from longpanda.errors import ConfigError, IndexFileError, counted
from longpanda.index import VideoIndex, file_encoder
from longpanda.inference import load

QUESTION = "What number is on the red circle?"
FPS = 10.0


@pytest.mark.parametrize(("wanted", "per_group", "frames"), [(9, 6, 1), (4, 4, 1), (2, 2, 1), (1, 1, 1), (0.25, 1, 4)])
def test_an_index_can_have_another_rate_than_its_model(squeezed, film, tmp_path, wanted, per_group, frames):
    index = squeezed.index(film, tmp_path / "film.vidx", fps=FPS, tokens_per_frame=wanted)
    assert (index.header.tokens_per_group, index.header.frames_per_group) == (per_group, frames)
    assert index.tokens.group_tokens.tolist() == [per_group] * (120 // frames)
    answer = squeezed.ask(tmp_path / "film.vidx", QUESTION)
    assert answer.visual_tokens == index.tokens.count <= wanted * 120
    said = f"The index keeps {counted(per_group / frames, 'token')} per frame, and this model was trained on 2. "
    assert (said in answer.notice) == ((per_group, frames) != (4, 2))
    with pytest.raises(IndexFileError, match=r"an index of .* tokens? per frame, .*; use the same --tokens-per-frame"):
        squeezed.index(film, tmp_path / "film.vidx", fps=FPS, tokens_per_frame=3)
    assert squeezed.index(film, tmp_path / "film.vidx").is_complete  # it keeps the rate that it has


class Killed(Exception):
    """In the middle of the work."""


@pytest.mark.parametrize(("begun", "wanted"), [(2, None), (None, 2)])
def test_as_many_tokens_from_another_grid_are_another_rate(film, tmp_path, monkeypatch, begun, wanted):
    """This model pools 2 x 3 cells to 2 x 1; two tokens of such a frame would be 1 x 2."""
    monkeypatch.setattr(file_encoder, "LEAST_BLOCK_FRAMES", 16)
    panda = load(str(save(squeezing("causal", grid=[2, 1], pool_frames=1), tmp_path / "model")))
    whole = panda.index(film, tmp_path / "whole.vidx", fps=FPS, tokens_per_frame=begun)

    def kill(done: int) -> None:
        if done >= 80:  # a block is kept once a picture 2 seconds later was read
            raise Killed

    with pytest.raises(Killed):
        panda.index_builder(film, tmp_path / "film.vidx", FPS, tokens_per_frame=begun).build(progress=kill)
    held = VideoIndex(tmp_path / "film.vidx")
    assert 0 < held.frames < whole.frames
    if wanted is not None:
        with pytest.raises(
            IndexFileError, match=r"an index of 2 tokens per frame, 2 x 1 places; expected one of 2 .*, 1 x 2 places"
        ):
            panda.index(film, tmp_path / "film.vidx", tokens_per_frame=wanted)
    again = panda.index(film, tmp_path / "film.vidx")
    assert torch.equal(again.tokens.values, whole.tokens.values)


@pytest.mark.parametrize("group", [2, 49])
def test_an_index_is_gone_on_with_at_its_rate(squeezed, film, tmp_path, group):
    """1 / (1 / 49) is more than 49 in floating point."""
    first = squeezed.index(film, tmp_path / "film.vidx", fps=FPS, tokens_per_frame=1 / group)
    assert first.header.frames_per_group == squeezed.index(film, tmp_path / "film.vidx").header.frames_per_group


@pytest.mark.parametrize("rate", [9, 0.25])
def test_a_models_own_limit_is_one_of_frames_at_any_rate(squeezed, film, tmp_path, rate):
    squeezed.model.config.sampling = {"fps": FPS, "max_frames": 40}
    squeezed.index(film, tmp_path / "film.vidx", fps=FPS, tokens_per_frame=rate)
    answer = squeezed.ask(tmp_path / "film.vidx", QUESTION)
    assert len(answer.pts_seconds) == 40
    assert re.search(r"Left out \d+ of \d+ groups: 40 frames, this model's own limit", answer.notice)


def test_a_rate_that_cannot_be_is_refused(squeezed, model_folder, film, tmp_path):
    with pytest.raises(ConfigError, match=r"0 tokens per frame; expected a number of at least 1/4096"):
        squeezed.index(film, tmp_path / "film.vidx", tokens_per_frame=0.0)
    with pytest.raises(ConfigError, match="4 tokens per frame of a model without a compressor"):
        load(str(model_folder)).index(film, tmp_path / "film.vidx", tokens_per_frame=4)
    assert not (tmp_path / "film.vidx").exists()
