"""The control without frames chooses the likeliest allowed answer."""

import numpy as np
import torch
from tiny import tiny

from benchmarks.nano import Blind, choices
from longpanda.inference import LongPanda
from longpanda.longwatch import FAMILIES, Split, generate, scene_seed


def samples():
    scene = generate(scene_seed(Split.DEV, 3), 180.0)
    return [sample for family in FAMILIES.values() for sample in family.ask(scene, np.random.default_rng(0))]


def test_a_question_allows_the_cards_it_names_or_all_answers_of_its_family():
    for sample in samples():
        allowed = choices(sample)
        assert sample.target in allowed
        if sample.facts.template == "pair":
            assert len(allowed) == 2
            assert all(card in sample.question for card in allowed)
        else:
            assert allowed == FAMILIES[sample.family].answers


def test_the_likeliest_answer_is_chosen():
    model, processor = tiny()
    asked = [sample for sample in samples() if sample.family in ("order", "state")]
    blind = Blind(LongPanda("tiny", model, processor), asked)
    for sample in asked[:6]:
        likelihood = {}
        for answer in choices(sample):
            start = len(processor(processor.chat(sample.question, clips=0))["input_ids"][0])
            ids = processor(processor.chat(sample.question, answer, clips=0))["input_ids"]
            with torch.inference_mode():
                every = model(ids).logits.log_softmax(-1)
            likelihood[answer] = sum(float(every[0, j - 1, ids[0, j]]) for j in range(start, ids.shape[1]))
        assert blind.watch("")(sample).text == max(likelihood, key=likelihood.__getitem__)
