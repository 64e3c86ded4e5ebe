"""A few language models of each kind, composed, asked, saved and resumed; docs/backbones.md has the rest."""

import json
from pathlib import Path

import pytest
import transformers

from benchmarks import backbones
from benchmarks.backbone_tables import backbones as table
from benchmarks.tiny_backbones import names

RESULT = json.loads((Path(backbones.__file__).parent / "results" / "backbones.json").read_text())
FIRST = {"llama", "phi3", "qwen2", "qwen3", "smollm3", "gemma3", "gemma3_text", "qwen3_next", "qwen3_5", "mixtral"}
"""First class: what users meet first, and what failed first."""


@pytest.mark.parametrize(
    ("name", "kept", "batch"),
    [
        ("mixtral", "equal", "equal"),
        ("minimax", "read anew", "equal"),
        ("gemma3", "equal", "equal"),
        ("jamba", "read anew", "equal"),
        ("mpt", "equal", "equal"),
        ("rwkv", "read anew", "refused"),
    ],
)
def test_a_few_of_each_kind(name, kept, batch):
    row = backbones.tried(name)
    assert row["outcome"] == "works", row["reason"]
    assert (row["repeats"], row["cached"], row["kept"], row["saved"]) == ("equal", "equal", kept, "equal")
    assert row["taught"] == "equal"
    assert row["batch"].startswith(batch)


def test_what_cannot_be_shown_anything_is_refused():
    row = backbones.tried("gemma3n_text")
    assert (row["outcome"], row["reason"][-43:]) == ("refused", "that reads more of a token than its embedding"[-43:])


@pytest.mark.skipif(
    transformers.__version__ != RESULT["transformers"], reason=f"written with transformers {RESULT['transformers']}"
)
def test_every_type_was_tried():
    assert sorted(row["name"] for row in RESULT["rows"]) == sorted(names())


def test_none_is_silently_wrong():
    outcomes = {row["name"]: row["outcome"] for row in RESULT["rows"]}
    assert set(outcomes.values()) == {"works", "refused", "not made"}
    assert {name for name in FIRST if outcomes[name] != "works"} == set()
    assert all(row["reason"] for row in RESULT["rows"] if row["outcome"] != "works")
    assert {row["taught"] for row in RESULT["rows"] if row["outcome"] == "works"} == {"equal"}


def test_a_wrong_one_would_be_seen():
    row = {"name": "some", "outcome": "WRONG", "reason": "batch: DIFFERS by 0.3 | of"}
    said = table({"rows": [row], "transformers": "1", "torch": "2"})
    assert "1 WRONG" in said
    assert r"| some | WRONG | batch: DIFFERS by 0.3 \| of |" in said


def test_a_refusal_says_why_in_the_table():
    cells = {"kept": "equal", "batch": "refused: prompts of several lengths for a 'some', which does not keep it apart"}
    cells |= {"taught": "equal", "side_by_side": "refused: 47 tokens on 'some' with layers of conv", "saved": "equal"}
    said = table({"rows": [{"name": "some", "outcome": "works", **cells}], "transformers": "1", "torch": "2"})
    assert "| some | equal | refused: does not keep it apart | equal | refused: layers of conv | equal |" in said
