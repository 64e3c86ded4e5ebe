"""The visual path: whole clips, pieces of a stream, and reducers that keep different numbers of tokens."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
import torch
from tiny import noise, tiny

from longpanda.errors import ConfigError, PromptError
from longpanda.model.front_ends.stab import StabFrontEnd
from longpanda.model.temporal import TemporalCompressor
from longpanda.model.tokens import FrameBatch, RaggedTokens
from longpanda.model.visual import FrontEnd, StreamState, VisualEncoder
from longpanda.types import VideoClip

TEMPORAL = {"grid": [2, 2], "layers": 1, "head_width": 16, "state_width": 4, "pool_frames": 3}
KINDS = {"plain": None, "causal": TEMPORAL, "bidirectional": TEMPORAL | {"direction": "bidirectional"}}


def is_odd(part: torch.Tensor) -> bool:
    """Judge a group by its content: whether an odd number of channels of its first token is positive."""
    return int((part[0] > 0).sum()) % 2 == 1


class Odd:
    """Keeps all tokens of some groups, and the first one of the others; see `is_odd`."""

    def __call__(self, tokens: RaggedTokens) -> RaggedTokens:
        parts = torch.split(tokens.values, tokens.group_tokens)
        kept = [part if is_odd(part) else part[:1] for part in parts]
        return RaggedTokens(torch.cat(kept), tuple(map(len, kept)), tokens.group_frames)

    def fingerprint_parts(self) -> Iterator[bytes]:
        yield b"odd"


def built(kind: str):
    model, processor = tiny(temporal_config=KINDS[kind])
    for parameter in model.parameters():
        parameter.data.copy_(0.2 * torch.randn_like(parameter))
    return model.double(), processor


def batch(processor, clips: Sequence[VideoClip]) -> FrameBatch:
    return FrameBatch(**processor.image_processor.preprocess(clips))


def piece(clip: VideoClip, first: int, end: int) -> VideoClip:
    return dataclasses.replace(clip, frames=clip.frames[first:end], pts_seconds=clip.pts_seconds[first:end])


@torch.no_grad()
@pytest.mark.parametrize("reducer", [None, Odd()], ids=["all", "reduced"])
@pytest.mark.parametrize("cuts", [[], [4], [4, 8, 12], [8]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_in_pieces_is_the_whole_clip(kind, cuts, reducer):
    model, processor = built(kind)
    model.reducer = reducer
    clip, state, done = noise(14), None, []
    (whole,) = model.visual.forward(batch(processor, [clip]))
    for first, end in pairwise([0, *cuts, 14]):
        tokens, state = model.visual.stream(batch(processor, [piece(clip, first, end)]), state)
        done.append(tokens)
    done.append(model.visual.finish(state))
    got = RaggedTokens.joined([tokens for tokens in done if tokens is not None])
    assert (got.group_tokens, got.group_frames) == (whole.group_tokens, whole.group_frames)
    assert sum(got.group_frames) == 14
    torch.testing.assert_close(got.values, whole.values, rtol=1e-10, atol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_clips_of_a_batch_are_clips_alone(kind):
    model, processor = built(kind)
    clips = [noise(5), noise(8, 32, 48, seed=1), noise(1, seed=2)]
    together = model.visual.forward(batch(processor, clips))
    for clip, got in zip(clips, together, strict=True):
        (alone,) = model.visual.forward(batch(processor, [clip]))
        assert got.group_tokens == alone.group_tokens
        torch.testing.assert_close(got.values, alone.values, rtol=1e-10, atol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_a_reducer_keeps_different_numbers_of_tokens(kind):
    model, processor = built(kind)
    (whole,) = model.visual.forward(batch(processor, [noise(12)]))
    model.reducer = Odd()
    (kept,) = model.visual.forward(batch(processor, [noise(12)]))
    parts = torch.split(whole.values, whole.group_tokens)
    assert set(kept.group_tokens) == {1, whole.group_tokens[0]}
    assert kept.group_tokens == tuple(len(part) if is_odd(part) else 1 for part in parts)
    assert kept.group_frames == whole.group_frames
    assert torch.equal(kept.values, torch.cat([part if is_odd(part) else part[:1] for part in parts]))


def test_a_reducer_that_loses_a_group_is_refused():
    model, processor = built("plain")
    model.reducer = made_by(lambda tokens: RaggedTokens(tokens.values[:10], (10,), (1,)))
    with pytest.raises(ConfigError, match="a reducer that makes 1 groups of 3"):
        model.visual.forward(batch(processor, [noise(3)]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_reducer_that_adds_tokens_to_a_group_is_refused(kind):
    model, processor = built(kind)
    model.reducer = made_by(
        lambda tokens: RaggedTokens.of_groups(
            torch.stack([torch.cat([part, part[:1]]) for part in torch.split(tokens.values, tokens.group_tokens)]),
            tokens.group_frames,
        )
    )
    with pytest.raises(ConfigError, match=r"a reducer that makes (11 tokens of 10|5 tokens of 4) in a group"):
        model.visual.forward(batch(processor, [noise(3)]))


def made_by(function):
    """A reducer of a function."""
    reducer = type("OfFunction", (), {"__call__": lambda _, tokens: function(tokens)})()
    reducer.fingerprint_parts = lambda: iter([])
    return reducer


class Nameless:
    """A reducer that an index could not tell from others."""

    def __call__(self, tokens: RaggedTokens) -> RaggedTokens:
        return tokens


def test_a_reducer_without_a_method_is_refused_when_it_is_set():
    model, _ = built("plain")
    with pytest.raises(ConfigError, match=r"a reducer of type Nameless; expected __call__.* and fingerprint_parts\(\)"):
        model.reducer = Nameless()
    assert model.reducer is None


def test_a_reducer_may_be_a_module_and_is_no_weight():
    model, _ = built("plain")
    names = {*model.state_dict()}

    class Module(torch.nn.Linear):
        fingerprint_parts = Odd.fingerprint_parts

    model.reducer = reducer = Module(2, 2)
    assert model.visual.reducer is reducer
    assert {*model.state_dict()} == names


def test_a_model_with_a_reducer_is_not_saved(tmp_path):
    model, _ = built("plain")
    model.reducer = Odd()
    with pytest.raises(ConfigError, match=r"saving a model with a reducer \(Odd\); expected none: reducers only work"):
        model.save_pretrained(tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_prompt_of_the_processor_says_that_reducers_only_work_with_watch():
    model, processor = built("plain")
    model.reducer = Odd()
    inputs = processor(processor.chat("Where is the key at the end?"), [noise(6)])
    for call in (model.forward, model.generate):
        with pytest.raises(PromptError, match="reducers only work with `watch` and an index so far"):
            call(**inputs)


@torch.no_grad()
def test_a_front_end_is_told_the_times_of_every_clip_without_a_compressor():
    model, processor = built("plain")
    clips = model.visual.clips(batch(processor, [noise(3), noise(2, step_seconds=7.0)]))
    assert [clip.seconds.tolist() for clip in clips] == [[0.0, 5.0, 10.0], [0.0, 7.0]]


def test_sizes_are_known_before_any_pixel_is_read():
    for kind in KINDS:
        model, processor = built(kind)
        for height, width in ((48, 48), (32, 48), (48, 16)):
            (tokens,) = model.visual.forward(batch(processor, [noise(3, height, width)]))
            assert set(tokens.group_tokens) == {model.visual.tokens_per_group(height, width)}
            rows, columns = model.visual.grid(height, width)
            assert rows * columns <= tokens.group_tokens[0]


def test_stab_is_a_front_end():
    model, processor = built("plain")
    front_end = model.visual.front_end
    assert isinstance(front_end, FrontEnd)
    (clip,) = front_end.encode(batch(processor, [noise(3, 32, 48)]))
    assert clip.values.shape[1] == front_end.tokens_per_frame(32, 48)
    assert clip.grid == front_end.grid(32, 48)
    assert front_end.flops_per_frame(48, 48) > front_end.flops_per_frame(32, 48) > 1e5


def test_fingerprints_tell_weights_sizes_and_reducers_apart():
    model, _ = built("causal")
    known = {model.visual.fingerprint()}
    assert {model.visual.fingerprint(), model.to(torch.float32).visual.fingerprint()} == known
    assert model.visual.at_rate(model.config.temporal_config.at_rate((1, 1), 2)).fingerprint() in known
    for part in (model.stab, model.temporal):
        next(part.parameters()).data[0] += 1
        assert model.visual.fingerprint() not in known
        known.add(model.visual.fingerprint())
    model.reducer = Odd()
    assert model.visual.fingerprint() not in known
    plain = VisualEncoder(StabFrontEnd(model.stab))
    assert plain.fingerprint() == hashlib.sha256(b"".join(plain.front_end.fingerprint_parts())).hexdigest()


def test_what_a_compressor_needs_is_asked_for():
    model, processor = built("causal")
    inputs = processor.image_processor.preprocess([noise(3)])
    frames = FrameBatch(*(inputs[name] for name in ("pixel_values", "patch_boxes", "frame_windows")))
    for call in (model.visual.forward, model.visual.stream):
        with pytest.raises(PromptError, match="frames without their times"):
            call(frames)
    with pytest.raises(ConfigError, match="another rate for a model without a compressor"):
        built("plain")[0].visual.at_rate(model.config.temporal_config)


def test_nothing_is_finished_that_was_not_begun():
    for kind in KINDS:
        model, _ = built(kind)
        assert model.visual.finish(StreamState()) is None


@pytest.mark.parametrize(
    ("tokens", "frames"), [((2, 2), (1, 1)), ((2, 3), (1,)), ((5, 1), (1, 1))], ids=["few", "frames", "many"]
)
def test_groups_that_are_not_their_tokens_are_refused(tokens, frames):
    with pytest.raises(ConfigError, match="5 tokens, 2 groups"):
        RaggedTokens(torch.zeros(5, 4), tokens, frames)


def test_the_compressor_is_the_models_own():
    model, _ = built("causal")
    assert isinstance(model.visual.temporal, TemporalCompressor)
    assert model.visual.temporal is model.temporal
