"""What the ablation's runs got right, and what one compressor has over another on the same questions."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from benchmarks.finished import Finished
from longpanda.evaluate import accuracy
from longpanda.evaluate.analysis import chance, grouped
from longpanda.evaluate.paired import compare
from longpanda.types import Score

Runs = dict[tuple[str, str], dict[int, Finished]]
"""By compressor and tokens per frame, then by seed."""
Row = dict[str, Any]
EVERY = "all"
PAIRS = (("mean", "learned"), ("learned", "causal"), ("mean", "causal"), ("causal", "bidirectional"))
"""What learned pooling adds, what Mamba adds to that, both together, and what seeing the frames to come adds."""


def rows(runs: Runs, families: Sequence[str]) -> list[Row]:
    """By compressor and family: accuracy on each kind of film over all seeds, and the means of each seed."""
    found = []
    for (mixing, tokens), by_seed in runs.items():
        for family in (EVERY, *families):
            own = {seed: of_family(run.scores, family) for seed, run in by_seed.items()}
            every = _joined(own)
            guessed = {shows: chance(group) for shows, group in grouped(every, shows_of).items()}
            found.append(
                {
                    "mixing": mixing,
                    "tokens_per_frame": tokens,
                    "family": family,
                    "seeds": sorted(by_seed),
                    "chance": guessed,
                    "named": {str(seed): run.named for seed, run in by_seed.items()},
                    "films": [_on(film, own) for film in grouped(every, film_of)],
                }
            )
    return found


def _on(film: Any, by_seed: dict[int, list[Score]]) -> Row:
    """Accuracy on films of one kind; they are the same for all seeds, and each is one cluster."""
    own = {seed: [score for score in scores if film_of(score) == film] for seed, scores in by_seed.items()}
    each = {str(seed): accuracy(scores).value for seed, scores in own.items()}
    together = accuracy(_joined(own))
    return {"frames": film[0], "shows": film[1], **asdict(together), "each": each}


def differences(runs: Runs, families: Sequence[str]) -> list[Row]:
    """The second of two compressors against the first, by tokens, family and what films show, on seeds that both have.

    Questions are paired, and films are resampled, each with the answers of all seeds.
    """
    found = []
    for tokens in dict.fromkeys(tokens for _, tokens in runs):
        for first, second in PAIRS:
            one, other = runs.get((first, tokens), {}), runs.get((second, tokens), {})
            seeds = sorted(one.keys() & other.keys())
            for family in (EVERY, *families) if seeds else ():
                before, after = (
                    {seed: of_family(run[seed].scores, family, seed) for seed in seeds} for run in (one, other)
                )
                about = {"tokens_per_frame": tokens, "first": first, "second": second, "family": family, "seeds": seeds}
                found += [about | _between(shows, before, after) for shows in grouped(before[seeds[0]], shows_of)]
    return found


def _between(shows: Any, before: dict[int, list[Score]], after: dict[int, list[Score]]) -> Row:
    """Two compressors on the films that show this."""
    first, second = (
        {seed: [score for score in scores if shows_of(score) == shows] for seed, scores in runs.items()}
        for runs in (before, after)
    )
    each = {str(seed): compare(first[seed], second[seed]).difference for seed in first}
    return {"shows": shows, **asdict(compare(_joined(first), _joined(second))), "each": each}


def _joined(by_seed: dict[int, list[Score]]) -> list[Score]:
    return [score for scores in by_seed.values() for score in scores]


def of_family(scores: Sequence[Score], family: str, seed: int | None = None) -> list[Score]:
    """Those about a family, or all; with a seed, a question is another one than that of other seeds."""
    own = [score for score in scores if family in (EVERY, score.sample.family)]
    if seed is None:
        return own
    return [replace(one, sample=replace(one.sample, video=f"{one.sample.video}, seed {seed}")) for one in own]


def film_of(score: Score) -> tuple[int, str]:
    """The number of frames of its film, and what that shows."""
    return score.sample.metadata["frames"], shows_of(score)


def shows_of(score: Score) -> str:
    """What its film shows."""
    shows: str = score.sample.metadata["shows"]
    return shows
