"""Sampling, an answer's text as it is written, and two threads with one model."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from longpanda.errors import ConfigError
from longpanda.inference import Generation, load
from longpanda.video import Sampling

QUESTIONS = ("What number is on the red circle?", "Where is the key?", "How many cards were shown?")


@pytest.fixture(scope="module")
def panda(model_folder):
    return load(str(model_folder))


def test_pieces_are_the_answer(panda, film):
    for question in QUESTIONS:
        pieces: list[str] = []
        answer = panda.watch(film).ask(question, on_text=pieces.append)
        assert "".join(pieces) == answer.text != ""
        assert len(pieces) > 1
        assert answer.text == panda.watch(film).ask(question).text


def test_a_seed_repeats_an_answer_and_another_gives_another(panda, film):
    session = panda.watch(film)
    warm = [Generation(temperature=2.0, seed=seed) for seed in range(4)]
    answers = [session.ask(QUESTIONS[0], generation=one).text for one in warm]
    state = torch.random.get_rng_state()
    assert [session.ask(QUESTIONS[0], generation=one).text for one in warm] == answers
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random numbers stay as they were"
    assert len(set(answers)) > 1


def test_one_token_to_draw_from_is_the_likeliest(panda, film):
    session = panda.watch(film)
    likeliest = session.ask(QUESTIONS[0]).text
    assert session.ask(QUESTIONS[0], generation=Generation(temperature=5.0, top_k=1, seed=1)).text == likeliest
    assert session.ask(QUESTIONS[0], generation=Generation(temperature=5.0, top_p=1e-9, seed=1)).text == likeliest


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_p": 0.0}, {"top_k": -1}, {"seed": -1}]
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Generation(**wrong)


def asked(session, evidence):
    answers = [session.ask(question, evidence=evidence) for question in QUESTIONS * 2]
    return [(answer.text, answer.evidence) for answer in answers]


@pytest.mark.parametrize("evidence", [False, True])
def test_two_threads_with_one_model_get_what_one_after_the_other_gets(panda, film, evidence):
    ways = Sampling(frames=5), Sampling(frames=9)
    expected = [asked(panda.watch(film, way), evidence) for way in ways]
    assert expected[0] != expected[1]
    together = threading.Barrier(2)

    def run(way):
        together.wait()
        return asked(panda.watch(film, way), evidence)

    for _ in range(2):
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(run, ways)) == expected


def test_a_model_that_was_asked_can_be_copied(panda, film):
    import copy

    panda.ask(film, QUESTIONS[0])
    assert copy.deepcopy(panda.model).stab.config.width == panda.model.stab.config.width
