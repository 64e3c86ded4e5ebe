"""Tables of accuracy."""

import shlex

from benchmarks.blocks import Result, accuracy, block, whole
from longpanda.longwatch.commands import remaking
from longpanda.longwatch.suite import SuitePlan


def nano_scores(result: Result) -> str:
    """Show accuracy by question family, against the same model without frames and chance."""
    families: dict[str, Result] = result["families"]
    rows = [
        [
            name,
            str(one["questions"]),
            accuracy(one["accuracy"], one["interval"]),
            accuracy(one["blind_accuracy"], one["blind_interval"]),
            f"{one['chance']:.1%}",
        ]
        for name, one in families.items()
    ]
    errors = sum(one.get("errors", 0) for one in families.values())
    notes = [f"Share of right answers with 95 % intervals clustered by video; questions without an answer: {errors}."]
    return block(("family", "questions", "with the video", "without frames", "chance"), rows, result, notes)


def longwatch_scores(result: Result) -> str:
    """Show accuracy by family and length with all, 8, 1 and no frames, against the constant and word baselines."""
    columns = ("family", "minutes", "best constant", "words", "no frames", "1 frame", "8 frames", "all its frames")
    rows = []
    for one in result["rows"]:
        shares = [f"{one[name]:.0%}" for name in ("constant", "words")]
        few = [f"{one[name]['value']:.0%}" if one[name] else "–" for name in ("none", "one", "eight")]
        rows.append([one["family"], f"{one['minutes']:g}", *shares, *few, whole(one["all"]), _seen(one)])
    asked = sum(one["all"]["questions"] for one in result["rows"])
    fewest = min(one["all"]["questions"] for one in result["rows"])
    notes = [
        f"{result['model']}, {asked} questions, at least {fewest} in each row; 95 % intervals clustered by script.",
        "Best constant and words: baselines, on 5,000 other questions. No frames: the model picks the likeliest of "
        "the family's answers, if these are a closed set. Evidence seen: share of questions for which the frames show "
        "every interval of the evidence.",
        f"Asked with commit {' and '.join(one[:12] for one in result['asked_with_commits'])}.",
        _suites(result),
    ]
    return block((*columns, "evidence seen"), rows, result, notes)


def longwatch_audit(result: Result) -> str:
    """Show every control by family and length, and which exceed their bound."""
    names = [*result["rows"][0]["controls"], "twice", "padded", "oracle"]
    rows = []
    for one in result["rows"]:
        shares = one["controls"] | one["invariances"] | {"oracle": one["oracle"]}
        shown = ["–" if name not in shares else f"{shares[name]:.0%}" for name in names]
        guessed = [f"{one[name]:.0%}" for name in ("chance", "text_only")]
        known = [one["family"], f"{one['minutes']:g}", str(one["questions"])]
        rows.append([*known, *guessed, *shown, "; ".join(one["broken"]) or "holds"])
    columns = ("family", "minutes", "questions", "constant", "words", *names, "bounds")
    return block(columns, rows, result, [_suites(result)])


def _seen(one: Result) -> str:
    return "–" if one["evidence_seen"] is None else f"{one['evidence_seen']:.0%}"


def _suites(result: Result) -> str:
    """Return the commands that made the suites."""
    plans = [
        SuitePlan(**plan | {name: tuple(plan[name]) for name in ("minutes", "families")})
        for plan in result["suites"].values()
    ]
    commands = [shlex.join(remaking(plan, "suite")) for plan in plans]
    return f"Suites: {' and '.join(f'`{command}`' for command in commands)}."


def evidence(result: Result) -> str:
    """Show how well evidence finds the true intervals at each rate, against chance, and how often it is given."""
    rows = [
        [
            one["family"],
            f"{one['minutes']:g}",
            f"{one['fps']:.3g}",
            f"{one['right']} of {one['questions']}",
            str(one["given"]),
            accuracy(one["evidence hit"]["value"], one["evidence hit"]["interval"]) if one["given"] else "–",
            f"{one['chance hit']['value']:.0%}" if one["given"] else "–",
            f"{one['evidence iou']['value']:.2f}" if one["given"] else "–",
            f"{one['given wrong']} of {one['wrong']}",
            f"{one['given absent']} of {one['absent']}",
        ]
        for one in result["rows"]
    ]
    rates = sorted({one["fps"] for one in result["rows"]})
    notes = [
        f"{result['model']}, generated films of the suite's split '{result['suite']['split']}'. Right: right answers "
        "to questions about things that are shown. Given: right answers with an interval. Hit: share of these whose "
        "heaviest interval overlaps a true one; chance: the same for a random interval of the same length. IoU: all "
        "intervals against all true ones. The last two columns: how often an interval was given for a wrong answer, "
        "and for a question about something that never appears.",
        f"All families and lengths together: {'; '.join(_hits(result['rows'], fps) for fps in rates)}.",
    ]
    counted = ("family", "minutes", "fps", "right", "given")
    columns = (*counted, "hit", "hit, chance", "IoU", "given, wrong", "given, absent")
    return block(columns, rows, result, notes)


def _hits(rows: list[Result], fps: float) -> str:
    """Describe the hits among the intervals given at one rate."""
    own = [one for one in rows if one["fps"] == fps and one["given"]]
    given = sum(one["given"] for one in own)
    hits = sum(round(one["given"] * one["evidence hit"]["value"]) for one in own)
    return f"at {fps:.3g} fps {hits} hits of {given} ({hits / max(given, 1):.1%})"


def long_nano_suite(result: Result) -> str:
    """Show accuracy by family and length, the chance level and the effective length."""
    minutes = sorted({one["minutes"] for row in result["rows"] for one in row["lengths"]})
    rows = []
    for row in result["rows"]:
        shown = {one["minutes"]: whole(one) for one in row["lengths"]}
        effective = f"{row['effective_minutes']:g}" if row["effective_minutes"] else "none"
        rows.append([row["family"], *(shown.get(m, "–") for m in minutes), f"{row['chance']:.0%}", effective])
    asked = sum(one["questions"] for row in result["rows"] for one in row["lengths"])
    errors = sum(one["errors"] for row in result["rows"] for one in row["lengths"])
    notes = [
        f"{result['model']}, one frame every {1 / result['fps']:.3g} s, through an index; {asked} questions, "
        f"{errors} without an answer. 95 % intervals clustered by script.",
        "Effective: length up to which 85 % of the way from chance to the score at the shortest length is kept.",
    ]
    columns = ("family", *(f"{m:g} min" for m in minutes), "chance", "effective minutes")
    return block(columns, rows, result, notes)


def long_nano_needle(result: Result) -> str:
    """Show the accuracy on needles by number of frames and depth."""
    depths = list(dict.fromkeys(depth for row in result["rows"] for depth in row["depths"]))
    rows = []
    for row in result["rows"]:
        shown = [f"{row['depths'][depth]['value']:.0%}" if depth in row["depths"] else "–" for depth in depths]
        share = accuracy(row["all"]["value"], row["all"]["interval"])
        rows.append([f"{row['frames']:,}", f"{row['tokens_per_frame']:.3g}", *shown, share, str(row["all"]["errors"])])
    questions = " and ".join(sorted({str(row["all"]["questions"]) for row in result["rows"]}))
    notes = [
        f"{result['model']}, films of {result['minutes']:g} minutes, {questions} questions in each row; every card "
        "is visible in two or three frames, and one question is about each fifth. 95 % intervals clustered by film."
    ]
    columns = ("frames", "tokens per frame", *(f"from {float(d):.0%}" for d in depths), "all depths", "errors")
    return block(columns, rows, result, notes)
