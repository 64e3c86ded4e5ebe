"""Tables of reading and packing annotated data."""

from benchmarks.blocks import Result, block, whole


def records(result: Result) -> str:
    """Records of each stage beside the published numbers, and what it costs to index, open and resume."""
    rows = []
    for one in result["stages"]:
        counts = [f"{one['found'][kind]:,} of {one['expected'][kind]:,}" for kind in ("image", "video", "text")]
        rows.append([one["stage"].removeprefix("stage"), str(one["entries"]), *counts, f"{one['of_unknown_size']:,}"])
    index, far = result["indexing"], result["resuming"]
    several = result["reading"][-1]
    added = {name: f"{size / 1e6:.0f} MB" for name, size in several["added_pss_bytes"].items()}
    notes = [
        f"Found of published records; *other* are those of the three files whose size is not published "
        f"({result['unknown_records_each']:,} are made of each).",
        f"All {index['records']:,} records of {result['generated']['files']} files "
        f"({result['generated']['bytes'] / 1e9:.1f} GB): indexed in {index['cpu_seconds']:.0f} CPU seconds "
        f"({1e6 * index['cpu_seconds'] / index['records']:.0f} µs a record) to {index['index_bytes'] / 1e6:.0f} MB; "
        f"opened in {several['open_wall_seconds']:.2f} s. {several['processes']} processes that open them add "
        f"{added['open']} together, {added['touch']} once each has read all of it, and {added['token_counts']} with "
        f"all token counts. A new process opens everything and reads a pack at place {far['place']:,} in "
        f"{far['wall_seconds']:.2f} s.",
    ]
    return block(("stage", "entries", "image", "video", "text", "other"), rows, result, notes)


def packing(result: Result) -> str:
    """How full packs are by stage and budget."""
    rows = [
        [
            one["stage"].removeprefix("stage"),
            f"{one['budget']:,}",
            f"{one['efficiency']:.1%}",
            f"{one['conversations_per_pack']:.1f}",
            f"{one['mean_tokens']:,.0f}",
            f"{1e6 * one['cpu_seconds_per_window'] / one['window_places']:.0f}",
        ]
        for one in result["rows"]
    ]
    notes = [f"Generated lengths; windows of {result['rows'][0]['window_places']:,} places of the order."]
    columns = ("stage", "tokens of a pack", "filled", "conversations", "mean tokens", "CPU µs for each")
    return block(columns, rows, result, notes)


def loader(result: Result) -> str:
    """What became of a thousand clips."""
    one = result["thousand"]
    rows = [["shown", f"{one['shown']:,}"]]
    rows += [[f"left out: {reason}", f"{count:,}"] for reason, count in one["skipped"].items()]
    first, last = result["long_films"]
    notes = [
        f"{one['records']:,} clips in {one['wall_seconds']:.0f} s with {one['workers_asked_for']} worker processes "
        f"(limit {one['limit_seconds']:g} s), {one['workers_at_the_end']} of them alive at the end; "
        f"{one['bad_films_shown']} of {one['bad_films']} bad films shown, {one['good_films_not_shown']} good lost. "
        f"Packs of 60-minute films ({first['frames_per_pack']:,} frames): {first['rss_bytes'] / 2**20:.0f} MiB in the "
        f"main process after {first['packs']} packs and {last['rss_bytes'] / 2**20:.0f} MiB after {last['packs']}, "
        f"{first['largest_worker_rss_bytes'] / 2**20:.0f} and {last['largest_worker_rss_bytes'] / 2**20:.0f} MiB in "
        f"the larger worker.",
    ]
    return block(("clips", "number"), rows, result, notes)


def annotated(result: Result) -> str:
    """Format the accuracy of a model that was trained on annotations, with and without frames."""
    rows = [
        [
            one["family"],
            str(one["frames"]["questions"]),
            whole(one["frames"]),
            whole(one["no frames"]),
            f"{100 * one['difference']['difference']:+.0f} points "
            f"[{', '.join(f'{100 * edge:+.0f}' for edge in one['difference']['interval'])}]",
        ]
        for one in result["rows"]
    ]
    notes = [f"{result['clips']['count']} new clips. Without frames, the likeliest of the allowed answers is taken."]
    return block(("family", "questions", "with frames", "without frames", "difference"), rows, result, notes)
