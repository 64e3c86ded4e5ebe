"""A video is read once, asked often, and what could not be read is said."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from tiny import save, scenery, squeezing, tiny

from longpanda.errors import ConfigError, CutVideoError, PromptError, VideoError
from longpanda.index import file_encoder
from longpanda.inference import LongPanda, load
from longpanda.inference.planning import costs_of
from longpanda.model.tokens import FrameBatch
from longpanda.types import ANSWER_TOKENS, Timeline
from longpanda.video import Sampling, decode, encode

CUT_AFTER_A_MOMENT = Path(__file__).resolve().parents[2] / "../shared/data/videos/mb_annex-b.mp4"


@pytest.fixture(scope="module")
def panda(model_folder):
    return load(str(model_folder))


def test_two_questions_decode_and_encode_once(panda, film, monkeypatch):
    decoded, encoded, projected = [], [], []
    real_decode, real_stab, real_projector = (
        file_encoder.iter_frames,
        panda.model.stab.forward,
        panda.model.projector.forward,
    )
    monkeypatch.setattr(file_encoder, "iter_frames", lambda *a, **k: (decoded.append(a), real_decode(*a, **k))[1])
    monkeypatch.setattr(panda.model.stab, "forward", lambda *a: (encoded.append(a), real_stab(*a))[1])
    monkeypatch.setattr(panda.model.projector, "forward", lambda *a: (projected.append(a), real_projector(*a))[1])
    seen = panda.watch(film)
    first, second = seen.ask("Where is the key?"), seen.ask("Where is the ball?")
    assert (len(decoded), len(encoded), len(projected)) == (1, 1, 1)
    assert first.pts_seconds == second.pts_seconds == (1.5, 4.5, 7.5, 10.5)
    assert first.text != second.text
    assert seen.ask("Where is the key?").text == first.text
    assert first.seconds["decode"] > 0 == second.seconds["decode"]


@pytest.mark.parametrize("sampling", [None, Sampling(frames=7), Sampling(fps=0.5)])
def test_an_answer_is_what_processor_and_model_give(panda, film, sampling):
    answer = panda.ask(film, "What number is on the red circle?", sampling)
    seconds = (sampling or Sampling(frames=4)).seconds_for(12.0)
    clip = decode(film, seconds, size_px=(32, 48))
    inputs = panda.processor(panda.processor.chat("What number is on the red circle?"), [clip])
    ids = panda.model.generate(**inputs, max_new_tokens=ANSWER_TOKENS, do_sample=False)
    new = ids[0, inputs["input_ids"].shape[1] :]
    assert answer.text == panda.processor.tokenizer.decode(new, skip_special_tokens=True).strip()
    assert answer.text
    assert answer.visual_tokens == (inputs["input_ids"] == panda.model.config.video_token_id).sum()
    assert answer.pts_seconds == tuple(clip.pts_seconds)
    assert (answer.duration_seconds, answer.model, answer.path) == (12.0, panda.name, str(film))
    assert answer.notice.endswith("a random model")
    assert set(answer.seconds) == {"decode", "encode_frames", "generate"}
    assert answer.peak_memory_bytes > 2**20


@torch.no_grad()
def test_a_number_of_frames_is_a_way_to_say_which(panda, film):
    question = "What number is on the red circle?"
    expected = panda.ask(film, question, Sampling(frames=7)).pts_seconds
    assert panda.ask(film, question, frames=7).pts_seconds == expected
    assert panda.watch(film, frames=7).ask(question).pts_seconds == expected


@pytest.mark.parametrize(
    "given", [{"sampling": 8}, {"sampling": {"fps": 1}}, {"sampling": Sampling(fps=1), "frames": 8}]
)
def test_what_is_no_sampling_is_refused_with_what_is_one(panda, film, given):
    with pytest.raises(
        ConfigError, match=r"sampling=.*; pass frames=8, or sampling=longpanda.video.Sampling\(fps=0.5\)"
    ):
        panda.watch(film, **given)


def test_pictures_the_model_sees_are_the_same_from_a_session(panda, film):
    clip = decode(film, [1.0, 2.0])  # as stored: the processor makes it small
    media = panda.processor.image_processor.preprocess([clip])
    tokens = torch.cat([one.values for one in panda.model.visual.forward(FrameBatch(**media))])
    assert torch.equal(panda.watch(film, Sampling(seconds=(1.0, 2.0))).watched.tokens.values, tokens)


def test_an_empty_question_is_refused(panda, film):
    with pytest.raises(PromptError, match="an empty question"):
        panda.ask(film, " ")


def test_what_is_no_question_is_refused(panda, film):
    with pytest.raises(PromptError, match="a question of type list"):
        panda.ask(film, ["Where?", "When?"])


def test_words_that_a_closed_vocabulary_does_not_have_are_named(panda, film):
    notice = panda.ask(film, "Why is the sky blue?").notice
    assert notice.endswith("The model does not know: Why, sky. a random model")


def test_an_answer_without_words_is_said_to_be_none(panda, film, monkeypatch):
    end = torch.tensor([[panda.processor.end_token_id]])
    monkeypatch.setattr(panda.model, "generate", lambda ids, **_: torch.cat([ids, end], 1))
    answer = panda.ask(film, "Where is the key?")
    assert (answer.text, answer.notice) == ("", "The model gave no answer. a random model")
    assert (answer.is_cut, answer.reply.finish_reason) == (False, "stop")


def test_an_answer_that_was_cut_off_says_so_and_may_be_longer(panda, film, monkeypatch):
    monkeypatch.setattr(panda.model.generation_config, "eos_token_id", -1)
    answers = [panda.watch(film, answer_tokens=most).ask("Where is the key?") for most in (3, 80)]
    short, long = (len(panda.processor.tokenizer.encode(answer.text)) for answer in answers)
    assert short <= 3
    assert 64 < long <= 80
    assert answers[0].notice == "The answer was cut off after 3 tokens, its limit. a random model"
    assert (answers[0].is_cut, answers[0].reply.finish_reason) == (True, "length")


def test_an_answer_that_ends_is_whole(panda, film, monkeypatch):
    end = torch.tensor([[100, panda.processor.end_token_id]])
    monkeypatch.setattr(panda.model, "generate", lambda ids, **_: torch.cat([ids, end], 1))
    assert panda.watch(film, answer_tokens=2).ask("Where is the key?").notice == "a random model"


def test_an_answer_says_what_had_no_room_and_what_is_too_much(panda, film, monkeypatch):
    monkeypatch.setattr(panda.model.config, "sampling", {"fps": 1.0, "max_frames": 12})
    some = panda.watch(film, budget_tokens=100)
    assert some.plan.frames < 12
    for session, said in (
        (panda.watch(film), "The answer was cut off"),
        (some, f"Used {some.plan.frames} frames instead of 12: a budget of 100 tokens. The answer was cut off"),
        (
            panda.watch(film, Sampling(frames=13)),
            "13 frames are more than the 12 that this model takes by default. The answer was cut off",
        ),
    ):
        assert session.ask("Where is the key?").notice.startswith(said)


def test_a_budget_stands_for_the_models_own_limit(squeezed, film, tmp_path):
    squeezed.model.config.sampling = {"fps": 10.0, "max_frames": 20}
    squeezed.index(film, tmp_path / "film.vidx", fps=10.0)
    for path in (film, tmp_path / "film.vidx"):
        assert squeezed.watch(path).plan.groups == 10
        assert squeezed.watch(path, budget_tokens=2000).plan.groups == 60


@pytest.mark.parametrize(
    ("spent", "message"),
    [
        ({"budget_tokens": "4096"}, "a budget of '4096' tokens; expected a whole number"),
        ({"budget_tokens": 4096.5}, r"a budget of 4096\.5 tokens; expected a whole number"),
        ({"memory_bytes": float("nan")}, "memory of nan bytes; expected a whole number above 0"),
        ({"memory_bytes": -1}, "memory of -1 bytes; expected a whole number above 0"),
    ],
)
def test_what_is_no_amount_is_refused(panda, film, spent, message):
    with pytest.raises(ConfigError, match=message):
        panda.watch(film, **spent)


def test_nothing_is_seen_beyond_the_end(panda, film):
    assert panda.watch(film, Sampling(seconds=(1.0, 5.0, 100.0))).watched.tokens.seen_seconds == 12.0


def test_room_is_kept_for_longer_answers(panda, film):
    plain, wordy = (panda.watch(film, answer_tokens=most).plan.budget.tokens for most in (64, 100))
    assert plain - wordy == 36
    with pytest.raises(ConfigError, match=r"less [\d,]+ for the rest: room for 0 visual tokens; .* a shorter answer"):
        panda.watch(film, answer_tokens=5000)
    with pytest.raises(ConfigError, match="an answer of at most 0 tokens; expected at least 1"):
        panda.watch(film, answer_tokens=0)


def test_a_path_names_a_model_as_text_does(film, tmp_path):
    folder = save(tiny(), tmp_path / "model")
    panda = load(folder)
    assert panda.name == str(folder)
    json.dumps(panda.ask(film, "Where is the key?").as_dict())


@pytest.mark.parametrize("groups", [[], [4], [1, 0], [0, 0], [-1]])
def test_groups_that_are_not_there_are_refused(panda, film, groups):
    with pytest.raises(ConfigError, match=r"expected some of 0 to 3, each once, in order"):
        panda.watch(film).only(groups)


def test_groups_that_the_caller_left_out_are_no_limit(panda, film):
    notice = panda.watch(film).only([0, 2]).ask("Where is the key?").notice
    assert notice.startswith("Left out 2 of 4 groups. ")


@torch.no_grad()
@pytest.mark.parametrize("direction", ["causal", "bidirectional"])
def test_a_compressed_video_is_asked_as_it_was_learned(film, direction):
    """Training passes a clip through the model whole, asking reads it first."""
    panda = LongPanda("compressed", *squeezing(direction, layers=2))
    session = panda.watch(film, Sampling(frames=12))
    clip = decode(film, Sampling(frames=12).seconds_for(12.0), size_px=(32, 48))
    inputs = panda.processor(panda.processor.chat("Where is the key?"), [clip])
    assert inputs["input_ids"][0].tolist() == session.prompt_ids("Where is the key?")
    whole = panda.model(**inputs).logits[0, -1]
    cache = session._prefix._ready(session.prompt_ids("Where is the key?"))
    rest = inputs["input_ids"][:, cache.get_seq_length() :]
    asked = panda.model(input_ids=rest, past_key_values=cache).logits[0, -1]
    torch.testing.assert_close(asked, whole, rtol=1e-4, atol=1e-4)  # other lengths of sums in attention


@pytest.mark.parametrize("apart", [0.0, 0.9, 4.0, 100.0])
def test_a_prompt_is_as_long_as_planned(film, apart):
    model, processor = tiny()
    processor.image_processor.times_seconds = apart
    session = LongPanda("tiny", model, processor).watch(film, Sampling(frames=12))
    question = len(processor.prompt(processor.chat("Where is the key?"), [Timeline((), ())]).input_ids)
    taken = len(session.prompt_ids("Where is the key?")) - question
    assert session.plan.prompt_tokens == taken + (2 if apart == 4.0 else 0)  # at 12 s another could have been written


def test_what_memory_is_planned_is_what_a_prompt_takes(panda, film):
    session = panda.watch(film)
    session.ask("Where is the key?")
    cache = session._prefix._cache
    taken = sum(part.nbytes for layer in cache.layers for part in (layer.keys, layer.values))
    costs = costs_of(panda.model, panda.processor, (1, 7), 12.0, 64)
    assert taken == cache.get_seq_length() * costs.cache_bytes_per_token


def test_a_missing_file_is_refused(panda, tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        panda.watch(tmp_path / "none.mp4")


def test_an_image_can_be_asked(panda, tmp_path):
    path = tmp_path / "still.png"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(scenery(1)[0], "rgb24")))
        container.mux(stream.encode())
    answer = panda.ask(path, "Where is the key?")
    assert set(answer.pts_seconds) == {0.0}


def test_a_video_of_one_frame_can_be_asked(panda, tmp_path):
    encode(scenery(1)[:1], tmp_path / "one.mp4", 10)
    answer = panda.ask(tmp_path / "one.mp4", "Where is the key?", Sampling(frames=1))
    assert answer.pts_seconds == (0.0,)
    assert answer.visual_tokens == 7
    assert answer.notice.endswith("a random model")


def test_a_cut_file_is_sampled_over_what_there_is_and_that_is_said(panda, cut_film):
    answer = panda.ask(cut_film, "Where is the key?", Sampling(frames=16))
    assert len(answer.pts_seconds) == 16
    length = answer.duration_seconds
    assert answer.pts_seconds[-1] < length < 11
    assert f"The file's header promises 12.0 s; there are pictures for {length:.1f} s. " in answer.notice
    with pytest.raises(CutVideoError, match=r"has no frame at the requested seconds, 11 to 12") as caught:
        panda.watch(cut_film, Sampling(seconds=(11.0, 12.0)))
    assert answer.pts_seconds[-1] <= caught.value.readable_seconds < length


def test_what_a_cut_file_promises_is_told_of_its_index(panda, cut_film, tmp_path):
    index = panda.index(cut_film, tmp_path / "cut.vidx", fps=10.0)
    assert index.frames == 66
    notice = panda.ask(tmp_path / "cut.vidx", "Where is the key?").notice
    assert notice.startswith("The file's header promises 12.0 s; there are pictures for 6.6 s. ")


def test_a_hole_in_a_file_costs_its_frames_and_that_is_said(panda, holed_film):
    answer = panda.ask(holed_film, "Where is the key?", Sampling(frames=48))
    missing = 48 - len(answer.pts_seconds)
    assert 0 < missing < 24
    assert answer.notice.startswith(f"{missing} of 48 frames could not be read from this file. ")


def test_a_real_file_with_half_a_second_of_35(panda):
    if not CUT_AFTER_A_MOMENT.exists():
        pytest.skip("mb_annex-b.mp4 is not in ../shared/data/videos")
    answer = panda.ask(CUT_AFTER_A_MOMENT, "Where is the key?", Sampling(frames=16))
    assert answer.pts_seconds
    assert np.max(answer.pts_seconds) < 0.43
    assert "The file's header promises 35.2 s; there are pictures for 0.5 s. " in answer.notice


def test_frames_beyond_the_context_are_refused_before_they_are_decoded(panda, film, monkeypatch):
    monkeypatch.setattr(file_encoder, "iter_frames", lambda *_, **__: pytest.fail("decoded what does not fit"))
    with pytest.raises(ConfigError, match=r"ask for at most \d+ frames"):
        panda.watch(film, Sampling(frames=5000))


def test_a_clip_encoded_in_blocks_has_the_same_tokens(panda, film, monkeypatch):
    whole = panda.watch(film, Sampling(frames=10)).watched.tokens.values
    monkeypatch.setattr(file_encoder, "LEAST_BLOCK_FRAMES", 4)
    blocks = panda.watch(film, Sampling(frames=10)).watched.tokens.values
    # float32 sums in matrix products of other heights: 1e-5 is 100 times what was seen.
    torch.testing.assert_close(blocks, whole, atol=1e-5, rtol=1e-5)
