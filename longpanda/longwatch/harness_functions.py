"""Functions of the lmms-eval tasks beside this file. Answers are marked by longpanda, as in its own evaluation.

An export holds this file as lmms_eval/utils.py; its videos are in ../videos/.
"""

from pathlib import Path
from typing import Any

from longpanda.longwatch.families import FAMILIES
from longpanda.longwatch.rows import sample_of
from longpanda.thinking import without_thinking

VIDEOS = Path(__file__).resolve().parent.parent / "videos"


def doc_to_visual(doc: dict[str, Any]) -> list[str]:
    """Return the path of the video."""
    return [str(VIDEOS / doc["video"])]


def doc_to_text(doc: dict[str, Any], lmms_eval_specific_kwargs: dict[str, Any]) -> str:
    """Return the question, followed by how to answer it unless the model was trained on questions alone."""
    question: str = doc["question"]
    return f"{question} {doc['instruction']}" if lmms_eval_specific_kwargs["instruction"] else question


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, dict[str, Any]]:
    """Mark one answer without its thinking.

    Each mark carries its cluster (the script) for standard errors, and the length of the video for `--log_samples`.
    """
    text, _ = without_thinking(results[0])
    mark = FAMILIES[doc["family"]].mark(text, sample_of(doc))
    about = {"cluster": doc["cluster"], "minutes": doc["minutes"]}
    return {"exact": {"score": mark.value, **about}, "partial": {"score": mark.partial, **about}}


def mean(items: list[dict[str, Any]]) -> float:
    """Return the mean score."""
    return float(sum(item["score"] for item in items) / len(items))
