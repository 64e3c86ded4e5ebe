"""Compare what LongPanda gives for one file, in each way of asking, with all that FFmpeg decodes."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpus import ways
from benchmarks.corpus.case import Case
from benchmarks.corpus.ffmpeg import Walked
from benchmarks.corpus.identity import Reference, plain_walk
from benchmarks.corpus.ways import Given
from longpanda.video import probe, uniform

TIME_TOLERANCE_SECONDS = 0.0021
"""Tolerance of times: containers in milliseconds round both the time of a picture and the start of the stream."""
LISTED = 8
ENDS = 3
USUAL_FRAMES = 16
ONLY_COVER = "holds only a cover picture"


def compare(case: Case | None, path: Path, shown: Walked) -> dict[str, Any]:
    """Return the differences for one file.

    Args:
        case: the case of the corpus, or None for another file.
        path: the file.
        shown: all of its pictures according to FFmpeg.

    Returns:
        counts of pictures, `notes` that are no differences, and `differences`.
    """
    walked = ways.walk(path)
    result: dict[str, Any] = {"ffmpeg": len(shown), "walked": len(walked)}
    if walked.error is not None and not len(walked):
        said = walked.error.replace(str(path), path.suffix)
        differences = _refusal(case, len(shown), said)
        return result | {"notes": [] if differences else [f"refused: {said[:90]}"], "differences": differences}
    if case is not None and case.refused:
        return result | {"notes": [], "differences": [f"not refused as {case.refused}"]}
    plain, reference = plain_walk(path), Reference(shown, case)
    excused = reference.excused | set(reference.places_of(plain.marked, plain.seconds))
    places = reference.places_of(walked.pixels, walked.pts_seconds)
    starts = _start_second(walked, places, reference)
    notes = [f"starts at {starts:.2f} s"] if starts else []
    notes += [f"{len(plain.marked)} marked corrupt"] if len(plain.marked) else []
    notes += [f"a plain reader gets {plain.total}"] if plain.total != len(shown) else []
    is_whole = case is not None and not (case.promises_more or case.is_damaged)
    differences = _of_size(path, reference) + _of_walk(walked, places, reference, excused, starts)
    for found, kind in _of_length(path, reference, starts, is_whole):
        (differences if kind else notes).append(found)
    seconds, expected = reference.questions(excused, starts)
    if seconds:
        differences += _of_questions(path, seconds, expected, reference)
    differences += _at_own_times(path, walked)
    return result | {"asked": len(seconds), "notes": notes, "differences": differences}


def _refusal(case: Case | None, pictures: int, error: str) -> list[str]:
    wanted = case.refused if case else ""
    if wanted and wanted not in error:
        return [f"refused, but not as {wanted}: {error}"]
    return [] if wanted or not pictures or ONLY_COVER in error else [f"refused: {error}"]


def _of_size(path: Path, reference: Reference) -> list[str]:
    info = probe(path)
    if reference.size_px is None or (info.height_px, info.width_px) == reference.size_px:
        return []
    high, wide = reference.size_px
    return [f"size {info.width_px}x{info.height_px} for {wide}x{high}"]


def _of_length(path: Path, reference: Reference, starts: float, is_whole: bool) -> list[tuple[str, bool]]:
    """Return what is odd about the duration, and whether it is a difference: a header may promise more than is left."""
    end, interval = reference.end_seconds()
    found = []
    duration = probe(path).duration_seconds
    over, grace = duration - (duration if end is None else end), max(1.5 * interval, 0.1)
    if not -grace <= over <= grace + max(starts, 0.0):
        found.append((f"duration {duration:.3f} for {end:.3f} s", over < 0 or is_whole))
    given = len(ways.decoded(path, uniform(duration, USUAL_FRAMES).tolist(), 1))
    if given < USUAL_FRAMES:
        found.append((f"{given} of {USUAL_FRAMES} frames", is_whole))
    return found


def _start_second(walked: Given, places: Sequence[int], reference: Reference) -> float:
    """Return when the first picture is shown if most are delayed by as much: the file starts with a pause."""
    off = [
        second - true
        for place, second in zip(places, walked.pts_seconds, strict=True)
        if place >= 0 and (true := reference.seconds[place]) is not None
    ]
    middle = float(np.median(off)) if off else 0.0
    alike = [one for one in off if abs(one - middle) <= TIME_TOLERANCE_SECONDS]
    return middle if len(alike) > len(off) / 2 and abs(middle) > TIME_TOLERANCE_SECONDS else 0.0


def _of_walk(walked: Given, places: Sequence[int], reference: Reference, excused: set[int], starts: float) -> list[str]:
    known = [place for place in places if place >= 0]
    counted = Counter(known)
    missing = [place for place in range(len(reference)) if not counted[place]]
    repeated = [place for place, count in counted.items() if count > 1]
    differences = [f"walk: {walked.error}"] if walked.error else []
    differences += _some("walk misses", missing, reference, excused)
    differences += _some("walk repeats", repeated, reference, excused)
    foreign = [second for second, place in zip(walked.pts_seconds, places, strict=True) if place < 0]
    if foreign:
        listed = ", ".join(f"{second:.3f} s" for second in foreign[:LISTED])
        differences.append(f"walk shows {len(foreign)} that FFmpeg does not: {listed}")
    if sorted(known) != known:
        differences.append("walk is out of order")
    if any(later < sooner for sooner, later in pairwise(walked.pts_seconds)):
        differences.append("walk goes back in time")
    return differences + _moved(walked, places, reference, excused, starts)


def _some(what: str, places: Sequence[int], reference: Reference, excused: set[int]) -> list[str]:
    """Return a difference with the numbers concerned, unless all are excused."""
    counted = sorted(set(places) - excused)
    return [f"{what} {len(counted)}: {reference.names(counted)}"] if counted else []


def _moved(walked: Given, places: Sequence[int], reference: Reference, excused: set[int], starts: float) -> list[str]:
    off = {}
    for place, second in zip(places, walked.pts_seconds, strict=True):
        true = reference.seconds[place] if place >= 0 else None
        if true is not None and place not in excused and abs(second - true - starts) > TIME_TOLERANCE_SECONDS:
            off[place] = second - true - starts
    if not off:
        return []
    least, most = min(off.values()), max(off.values())
    return [f"walk moves {len(off)} by {least:+.3f} to {most:+.3f} s: {reference.names(sorted(off))}"]


def _of_questions(path: Path, seconds: list[float], expected: list[int], reference: Reference) -> list[str]:
    every = ways.one_by_one(path, seconds)
    differences = [f"asked: {every.error}"] if every.error else []
    differences += _wrong(seconds, expected, every, reference)
    sparse = list(range(0, len(seconds), ways.SPARSE))
    ends = sorted({*range(len(seconds))[:ENDS], *sparse, *range(len(seconds))[-ENDS:]})
    every_one = list(range(len(seconds)))
    asked: tuple[tuple[str, Callable[[Path, Sequence[float]], Given], list[int]], ...] = (
        ("iter_frames, 2 workers", ways.ahead, every_one),
        ("iter_chunks, 2 workers", ways.chunked, every_one),
        ("decode, 1 worker", partial(ways.decoded, workers=1), every_one),
        ("decode, 2 workers", partial(ways.decoded, workers=2), every_one),
        ("decode, 3 workers", partial(ways.decoded, workers=3), every_one),
        (f"each {ways.SPARSE}th", ways.one_by_one, sparse),
        (f"each {ways.SPARSE}th, 2 workers", partial(ways.decoded, workers=2), sparse),
        ("alone", ways.alone, ends),
    )
    for name, way, numbers in asked:
        given = way(path, [seconds[number] for number in numbers])
        differences += _other(name, given, ways.chosen(every, numbers))
    return differences


def _wrong(seconds: list[float], expected: list[int], every: Given, reference: Reference) -> list[str]:
    """Return differences for seconds that give a picture other than the one on screen, or none."""
    answers = dict(zip(every.numbers or [], range(len(every)), strict=True))
    none = [expected[number] for number in range(len(seconds)) if number not in answers]
    wrong = []
    for number, at in answers.items():
        got = reference.places_of(every.pixels[at : at + 1], [every.pts_seconds[at]], expected[number])[0]
        if got != expected[number]:
            wrong.append(f"{seconds[number]:.3f} s {reference.names([got])} for {reference.names([expected[number]])}")
    differences = [f"asked: no picture {len(none)}: {reference.names(none)}"] if none else []
    return differences + ([f"asked: wrong picture {len(wrong)}: {', '.join(wrong[:LISTED])}"] if wrong else [])


def _other(name: str, given: Given, every: Given) -> list[str]:
    """Return how answers differ from those to all seconds in turn."""
    is_absence = given.error is not None and ways.NOTHING_THERE in given.error and not len(every)
    if given.error is not None and not is_absence:
        return [f"{name}: {given.error}"]
    if len(given) != len(every):
        return [f"{name}: {len(given)} pictures for {len(every)}"]
    if ways.equal(given, every):
        return []
    return [f"{name}: {_unequal(given, every)} of {len(every)} pictures differ"]


def _unequal(given: Given, every: Given) -> int:
    same_time = np.asarray(given.pts_seconds) == np.asarray(every.pts_seconds)
    same_pixels = (given.pixels == every.pixels).all(axis=(1, 2, 3))
    return int((~(same_time & same_pixels)).sum())


def _at_own_times(path: Path, walked: Given) -> list[str]:
    """Return differences if a picture is not found at the time with which it was given."""
    seconds = walked.pts_seconds
    if any(later - sooner < 1e-3 for sooner, later in pairwise(seconds)) or any(second < 0 for second in seconds):
        return []
    kept = list(range(0, len(seconds), 1 + len(seconds) // ways.MOST_QUESTIONS))
    given = ways.one_by_one(path, [seconds[at] for at in kept])
    return _other("asked at its own time", given, Given(walked.pixels[kept], [seconds[at] for at in kept], kept))
