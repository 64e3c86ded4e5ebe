import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from longpanda.errors import ConfigError
from longpanda.longwatch import FAMILIES, Card
from longpanda.longwatch.deck import FOOTAGE_FAMILIES, MOST_HANDS, deck, hands_for
from longpanda.longwatch.script import LEVELS

STEADY, FLASH = LEVELS["steady"], LEVELS["flash"]
HANDS = range(1, MOST_HANDS + 1)
PRINTED = """
from longpanda.longwatch.deck import deck
from longpanda.longwatch.script import LEVELS
print(deck(7, LEVELS["steady"], 3).scene(900).to_json())
"""


def test_equal_arguments_give_equal_decks_in_any_process():
    runs = [
        subprocess.run(
            [sys.executable, "-c", PRINTED], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert deck(7, STEADY, 2).scene(900) != deck(8, STEADY, 2).scene(900)


@pytest.mark.parametrize("hands", HANDS)
def test_every_family_is_asked_and_every_answer_is_on_one_card(hands):
    for seed in range(5):
        scene = deck(seed, FLASH, hands).scene(600)
        for kind in ("title", "number"):
            values = [getattr(card, kind) for card in scene.cards]
            assert len(set(values)) == len(values)
        asked = Counter(topic.family for topic in scene.topics)
        assert set(asked) == set(FOOTAGE_FAMILIES)
        assert min(asked.values()) >= 2 * hands


def test_about_one_question_in_seven_is_about_what_is_not_shown():
    for hands in HANDS:
        absent = Counter()
        asked = Counter()
        for seed in range(40):
            scene = deck(seed, FLASH, hands).scene(600)
            for family in ("needle", "multikey", "chain", "grounding"):
                for topic in scene.chances(family):
                    asked[family] += 1
                    absent[family] += topic not in {card.title for card in scene.cards}
        for family, count in asked.items():
            assert absent[family] / count == pytest.approx(1 / 7, abs=0.07), (hands, family)


def test_longer_footage_gets_more_cards_and_at_most_half_of_it_shows_them():
    hands = [hands_for(60 * minutes, STEADY) for minutes in (1, 3, 10, 15, 20, 30, 120)]
    assert hands == sorted(hands)
    assert (hands[0], hands[-1]) == (1, MOST_HANDS)
    for minutes, more in zip((15, 20, 30), hands[3:], strict=False):
        scene = deck(3, STEADY, more).scene(60 * minutes)
        assert sum(card.end_seconds - card.start_seconds for card in scene.cards) < 0.55 * 60 * minutes
    assert hands_for(7200, STEADY, needles=20) < MOST_HANDS


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
def test_cards_show_for_the_dwell_and_never_over_another(level):
    for hands in HANDS:
        scene = deck(5, level, hands).scene(1200)
        assert {type(event) for event in scene.events} == {Card}
        for card in scene.cards:
            assert level.dwell_seconds - 0.001 <= card.end_seconds - card.start_seconds <= 1.25 * level.dwell_seconds
        for cell in {card.cell for card in scene.cards}:
            shown = [card for card in scene.cards if card.cell == cell]
            assert all(one.end_seconds <= two.start_seconds for one, two in pairwise(shown))


@pytest.mark.parametrize("depths", [(0.5,), (0.0, 0.5, 1.0), tuple(i / 10 for i in range(1, 10))])
def test_needles_start_at_the_depths_that_were_asked_for(depths):
    for minutes in (15, 60):
        scene = deck(2, STEADY, 2, depths).scene(60 * minutes)
        starts = {card.title: card.start_seconds for card in scene.cards}
        needles = sorted(starts[title] for title in scene.chances("needle") if title in starts)
        assert [start / scene.duration_seconds for start in needles] == pytest.approx(depths, abs=0.025)
        assert not set(scene.chances("grounding")) & set(scene.chances("needle"))


@pytest.mark.parametrize(
    ("depths", "message"),
    [
        ((-0.1,), "0 to 1"),
        ((1.1,), "0 to 1"),
        ((float("nan"),), "0 to 1"),
        ((0.5, 0.51), "increasing by more than"),
        ((0.6, 0.3), "increasing"),
        (tuple(i / 20 for i in range(21)), "up to 20"),
    ],
)
def test_impossible_depths_are_refused(depths, message):
    with pytest.raises(ConfigError, match=message):
        deck(0, STEADY, 1, depths)


def test_twenty_needles_have_places_of_their_own():
    scene = deck(0, FLASH, 1, tuple(i / 19 for i in range(20))).scene(300)
    samples = FAMILIES["needle"].ask(scene, None)
    assert sum(sample.target != "never" for sample in samples) == 20
