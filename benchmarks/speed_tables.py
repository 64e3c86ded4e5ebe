"""Tables of time and memory."""

from benchmarks.blocks import Result, block, rows_of

STAGES = {
    "import_and_load": "start Python and load the model",
    "decode": "decode the frames",
    "encode_frames": "frames to visual tokens",
    "generate": "first answer",
    "second_question": "each further question",
}

BUSY = {"longpanda": 1.1, "longpanda, 2 workers": 0.65}
"""Wall seconds per CPU second above which other load on the machine must have slowed the reader."""


def ask_cpu(result: Result) -> str:
    """Show seconds by stage of asking about one video."""
    rows = [[STAGES.get(stage, stage), f"{seconds:.2f}"] for stage, seconds in result["stages"].items()]
    rows.append(["peak memory of the process", f"{result['peak_memory_bytes'] / 2**20:.0f} MiB"])
    length = f"A video of {result['video_seconds']:.0f} s"
    looked = (
        f", read at {result['frames']} frames, {result['visual_tokens']} visual tokens" if "frames" in result else ""
    )
    return block(("stage", "seconds"), rows, result, [f"{length}{looked}; medians."])


def stab(result: Result) -> str:
    """Show time, operations and memory per frame of each encoder, and the ratio to the fast form of STAB."""
    columns = ("encoder", "wall ms", "CPU ms", "x wall", "x CPU", "GFLOP", "M parameters", "tokens", "peak GiB")
    rows = []
    for one in result["measurements"]:
        ratio, facts = result["ratios_to_baseline"][one["name"]], one["facts"]
        times = [f"{1e3 * one['wall_seconds']:.1f}", f"{1e3 * one['cpu_seconds']:.1f}"]
        ratios = [f"{ratio[kind]:.2f}" if ratio[kind] < 10 else f"{ratio[kind]:.0f}" for kind in ("wall", "cpu")]
        sizes = [f"{facts['flops_per_frame'] / 1e9:.1f}", f"{facts['parameters'] / 1e6:.1f}"]
        peak = (one["peak_device_bytes"] or one["peak_rss_bytes"]) / 2**30
        rows.append([one["name"], *times, *ratios, *sizes, str(facts["tokens_per_frame"]), f"{peak:.2f}"])
    notes = [f"Per frame, medians of interleaved rounds on a shared machine; x is the ratio to *{result['baseline']}*."]
    return block(columns, rows, result, notes)


def film_cpu(result: Result) -> str:
    """Show CPU seconds, memory and bytes of one film of each room."""
    rows = [
        [
            one["room"],
            f"{one['minutes']:g}",
            str(one["frames"]),
            f"{one['cpu_seconds']:.0f}",
            f"{one['peak_rss_bytes'] / 2**20:.0f} MiB",
            f"{one['file_bytes'] / 1e6:.0f} MB",
        ]
        for one in result["films"]
    ]
    first = result["films"][0]
    notes = [f"One film of each room at {first['size_px']} px and {first['fps']:g} frames per second, one thread."]
    return block(("room", "minutes", "frames", "CPU seconds", "peak memory", "file"), rows, result, notes)


def scan_cpu(result: Result) -> str:
    """Show CPU time per token of the scan and the mixer, against the torch path of transformers."""
    rows, mine = [], 1.0
    for one in result["measurements"]:
        part, _, whose = one["name"].partition(": ")
        mine = one["cpu_seconds"] if whose == "ours" else mine
        peak = (one["peak_rss_bytes"] - one["rss_before_build_bytes"]) / 2**20
        times = [f"{1e6 * one['cpu_seconds']:.0f}", f"{one['cpu_seconds'] / mine:.1f}"]
        rows.append([f"{part}: {whose}", *times, f"{peak:.0f} MiB"])
    notes = ["4,096 tokens in float32; medians of interleaved rounds. Memory is all that the process used."]
    return block(("", "CPU us per token", "x ours", "memory"), rows, result, notes)


def scan_lengths_cpu(result: Result) -> str:
    """Show CPU time per token and extra memory of one scan, by length."""
    rows = []
    for one in result["measurements"]:
        extra = one["peak_rss_bytes"] - one["rss_before_build_bytes"] - one["facts"]["output_bytes"]
        micro = f"{1e6 * one['cpu_seconds']:.0f}"
        rows.append([f"{one['facts']['tokens']:,}", micro, f"{extra / 2**20:.0f} MiB"])
    notes = ["One call each, in bfloat16 with sums in float32. Memory without the output, but with loaded libraries."]
    return block(("tokens", "CPU us per token", "extra memory"), rows, result, notes)


def decode_cpu(result: Result) -> str:
    """Show what each reader spends on the same frames of the same files, and the ratio to ours."""
    cases = [(one["minutes"], one["frames"]) for one in result["runs"]]
    base = {case: one for case, one in zip(cases, result["runs"], strict=True) if one["reader"] == result["baseline"]}
    rows = []
    for case, one in zip(cases, result["runs"], strict=True):
        known = [str(case[0]), str(case[1]), one["reader"]]
        if "failed" in one:
            rows.append([*known, one["failed"], *["–"] * 5])
            continue
        seconds = [one[kind] for kind in ("cpu_seconds", "wall_seconds")]
        ratios = [one[kind] / base[case][kind] for kind in ("cpu_seconds", "wall_seconds")]
        sizes = [f"{one['rss_bytes_over_start'] / 2**20:.0f}", str(one["wrong_frames"])]
        rows.append([*known, *[f"{value:.1f}" for value in seconds], *[f"{value:.2f}" for value in ratios], *sizes])
    notes = [
        f"360p H.264 at 30 frames per second, frames resized to 224 px. x is the ratio to *{result['baseline']}*, "
        "which is exact and has one worker; *near* may use a keyframe within a quarter of the spacing. MiB is the peak "
        f"memory above that at the start. Medians of rounds: {_rounds(result['runs'])}. {_wall(result)}"
    ]
    columns = ("minutes", "frames", "reader", "CPU s", "wall s", "x CPU", "x wall", "MiB", "wrong frames")
    return block(columns, rows, result, notes)


def _rounds(runs: list[Result]) -> str:
    each = {(r["minutes"], r["frames"]): len(r["cpu_seconds_each_round"]) for r in runs if "failed" not in r}
    return ", ".join(f"{rounds} ({minutes} min, {frames} frames)" for (minutes, frames), rounds in each.items())


def _wall(result: Result) -> str:
    """Describe the speed of two workers against decord, if the machine was idle enough to tell."""
    for one in result["runs"]:
        if "failed" not in one and (each := one["wall_seconds"] / one["cpu_seconds"]) > BUSY.get(one["reader"], each):
            shared = f"The machine was shared: '{one['reader']}' took {each:.2f} wall seconds per CPU second"
            return f"{shared}, so only CPU seconds are meaningful."
    wall = {(r["minutes"], r["frames"], r["reader"]): r["wall_seconds"] for r in result["runs"] if "failed" not in r}
    ratios = [
        f"x {seconds / wall[minutes, frames, 'longpanda, 2 workers']:.2f} ({minutes} min, {frames} frames)"
        for (minutes, frames, reader), seconds in wall.items()
        if reader == "decord" and (minutes, frames, "longpanda, 2 workers") in wall
    ]
    return f"Wall seconds of decord relative to two workers: {', '.join(ratios) or 'not measured'}."


def index_cpu(result: Result) -> str:
    """Show memory by length, CPU seconds by stage, the cost of further questions, and the bytes of an hour."""
    memory = [
        [
            f"{one['minutes']:.0f}",
            str(one["frames"]),
            f"{one['peak_rss_bytes'] / 2**20:.0f} MiB",
            f"{one['model_loaded_bytes'] / 2**20:.0f} MiB",
            f"{one['cpu_seconds']:.0f}",
            f"{one['index_bytes'] / 2**20:.1f} MiB",
        ]
        for one in result["memory"]
    ]
    stages = [
        [f"{one['tokens_per_frame']:g}", *(f"{one[stage]:.1f}" for stage in ("decode", "stab", "compressor"))]
        for one in result["stages"]
    ]
    sizes = [
        [f"{one['tokens_per_frame']:g}", f"{one['bfloat16'] / 1e6:.0f} MB", f"{one['int8'] / 1e6:.0f} MB"]
        for one in result["sizes"]
    ]
    asked = result["asking"][0]
    first, again = asked["first_from_file"], asked["again"]
    asking = [
        ["first, from the file", f"{first:.1f}", "1.0"],
        ["first, from the index", f"{asked['first_from_index']:.1f}", f"{first / asked['first_from_index']:.1f}"],
        [
            "first, from an index with its KV prefix",
            f"{asked['first_from_kept_prefix']:.2f}",
            f"{first / asked['first_from_kept_prefix']:.0f}",
        ],
        ["every further question", f"{again:.2f}", f"{first / again:.0f}"],
    ]
    parts = [
        "Indexing 720p H.264 at one frame per second with the bundled model:\n",
        rows_of(("minutes", "frames", "peak memory", "of which loaded model", "CPU seconds", "index"), memory),
        "\nCPU seconds per hour of 720p video at one frame per second, at the paper's width:\n",
        rows_of(("tokens per frame", "decoding", "STAB", "compressor"), stages),
        f"\nOne question about {result['asking_minutes']} minutes, {asked['visual_tokens']} visual tokens, medians of "
        f"{asked.get('rounds', 1)} rounds:\n",
        rows_of(("question", "CPU seconds", "x cheaper"), asking),
        "\nTokens of an hour at one frame per second, at the paper's width:\n",
    ]
    return "\n".join(parts) + "\n" + block(("tokens per frame", "bfloat16", "int8"), sizes, result, [])
