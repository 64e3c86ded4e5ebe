"""Thinking is taken off what a model wrote, in all the ways in which models mark it."""

import pytest

from longpanda.thinking import without_thinking


@pytest.mark.parametrize(
    ("written", "answer", "thinking"),
    [
        ("47", "47", ""),
        ("", "", ""),
        ("<think>3 or 12?</think>\n\n47", "47", "3 or 12?"),
        ("<think>\n\n</think>\n\n47", "47", ""),
        ("the beginning is in the prompt</think>47", "47", "the beginning is in the prompt"),
        ("<think>cut off while thinking of 12", "", "cut off while thinking of 12"),
        ("47 <think>or not", "47", "or not"),
        ("<think>a</think>4<think>b</think>7", "47", "a\nb"),
        ("<think>a <think>b</think> c</think>47", "47", "a <think>b\nc"),
        ("<THINKING mode='deep'>a</Thinking >B", "B", "a"),
        ("<thought>a</thought><reasoning>b</reasoning>47", "47", "a\nb"),
        ("<seed:think>a</seed:think>47", "47", "a"),
        ("[THINK]a[/THINK]47", "47", "a"),
        ("◁think▷a◁/think▷47", "47", "a"),
        ("<|begin_of_thought|>a<|end_of_thought|>47", "47", "a"),
        ("<|START_THINKING|>a<|END_THINKING|>47", "47", "a"),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>47", "47", None),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>47<|return|>", "47", None),
        ("<|channel|>final<|message|>47<|return|>", "47", ""),
        ("analysisUser asks for a number.assistantfinal47", "47", "User asks for a number."),
        ("analysis3 or 12?\nassistantcommentaryLet me look.assistantfinal47<|return|>", "47", None),
        ("Analysis: the assistantfinal key", "Analysis: the assistantfinal key", ""),
        ("analysis of the film", "analysis of the film", ""),
        ("the assistantfinal", "the assistantfinal", ""),
        ("<|channel>thought\n3 or 12?\n<channel|>47<turn|>", "47", "3 or 12?"),
        ("<|channel>thought\n<channel|>47", "47", ""),
        ("<|channel>thought\ncut off while thinking of 12", "", "cut off while thinking of 12"),
        ("47<|im_end|>\n<|endoftext|>", "47", ""),
        ("47<eos>\n", "47", ""),
        ("47<end_of_turn>", "47", ""),
        ("47<|eot_id|>", "47", ""),
        ("47</s>", "47", ""),
        ("<|return|>", "", ""),
        ("press <|return|> twice", "press <|return|> twice", ""),
        ("I think <b>47</b> is < 50", "I think <b>47</b> is < 50", ""),
        ("never </thin>", "never </thin>", ""),
    ],
)
def test_thinking_is_no_part_of_the_answer(written, answer, thinking):
    found, thought = without_thinking(written)
    assert found == answer
    assert thinking is None or thought == thinking
