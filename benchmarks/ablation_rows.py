"""Rows of the ablation's result: accuracy of each compressor, and paired differences between compressors."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from benchmarks.finished import Finished
from longpanda.evaluate import accuracy
from longpanda.evaluate.analysis import chance, grouped
from longpanda.evaluate.paired import compare
from longpanda.types import Score

Runs = dict[tuple[str, str], dict[int, Finished]]
"""Scores by compressor and tokens per frame, then by seed."""
Row = dict[str, Any]
PAIRS = (("mean", "learned"), ("learned", "causal"), ("mean", "causal"), ("causal", "bidirectional"))
"""Pairs that show the effect of learned pooling, of Mamba on top of it, of both, and of seeing later frames."""


def rows(runs: Runs, families: Sequence[str]) -> list[Row]:
    """Return accuracy over all seeds by compressor, family and kind of film, on all films and at each length."""
    found = []
    for (mixing, tokens), by_seed in runs.items():
        named = {str(seed): run.named for seed, run in by_seed.items()}
        about = {"mixing": mixing, "tokens_per_frame": tokens, "seeds": sorted(by_seed), "named": named}
        for family in families:
            own = {seed: _of_family(run.scores, family) for seed, run in by_seed.items()}
            for shows, scores in grouped(_joined(own), _shows).items():
                lengths = {str(frames): asdict(accuracy(group)) for frames, group in grouped(scores, _frames).items()}
                each = {str(seed): accuracy(group).value for seed, group in _that_show(shows, own).items()}
                right = {**asdict(accuracy(scores)), "each": each, "chance": chance(scores)}
                found.append({**about, "family": family, "shows": shows, **right, "frames": lengths})
    return found


def differences(runs: Runs, families: Sequence[str]) -> list[Row]:
    """Return the gain of the second of two compressors over the first, by tokens, family and kind of film.

    Only seeds that both have are used. Questions are paired, and films are resampled together with the answers of all
    seeds: the interval covers the choice of films, and `each`, by seed, shows the effect of another training.
    """
    found = []
    for tokens in dict.fromkeys(tokens for _, tokens in runs):
        for first, second in PAIRS:
            one, other = runs.get((first, tokens), {}), runs.get((second, tokens), {})
            seeds = sorted(one.keys() & other.keys())
            for family in families if seeds else ():
                pair = [
                    {seed: _with_seed(_of_family(run[seed].scores, family), seed) for seed in seeds}
                    for run in (one, other)
                ]
                about = {"tokens_per_frame": tokens, "first": first, "second": second, "family": family, "seeds": seeds}
                found += [about | _between(shows, *pair) for shows in grouped(_joined(pair[0]), _shows)]
    return found


def _between(shows: Any, before: dict[int, list[Score]], after: dict[int, list[Score]]) -> Row:
    """Compare two compressors on one kind of film."""
    first, second = _that_show(shows, before), _that_show(shows, after)
    each = {str(seed): compare(first[seed], second[seed]).difference for seed in first}
    return {"shows": shows, **asdict(compare(_joined(first), _joined(second))), "each": each}


def _with_seed(scores: Sequence[Score], seed: int) -> list[Score]:
    """Add the seed to the id of each score, so that questions of several seeds differ; clusters stay the same."""
    return [replace(one, sample=replace(one.sample, id=f"{one.sample.id}, seed {seed}")) for one in scores]


def _joined(by_seed: dict[int, list[Score]]) -> list[Score]:
    return [score for scores in by_seed.values() for score in scores]


def _of_family(scores: Sequence[Score], family: str) -> list[Score]:
    return [score for score in scores if score.sample.family == family]


def _that_show(shows: Any, by_seed: dict[int, list[Score]]) -> dict[int, list[Score]]:
    return {seed: [score for score in scores if _shows(score) == shows] for seed, scores in by_seed.items()}


def _shows(score: Score) -> str:
    return score.sample.facts.condition


def _frames(score: Score) -> int:
    return score.sample.facts.frames or 0
