"""Example commands for the help of every verb and step. A test parses each of them."""

from typing import Final

EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "": (
        "longpanda demo",
        'longpanda ask film.mp4 "Which card came first?"',
        "longpanda --print-completion bash > ~/.local/share/bash-completion/completions/longpanda",
    ),
    "ask": (
        'longpanda ask film.mp4 "Which card came first?" "Where is the gem at the end?"',
        'longpanda ask film.vidx "What number is on the red circle?" --evidence --thumbnails pictures',
        'longpanda ask film.mp4 "Which card came first?" --model runs/mine/model --device cuda --dtype bfloat16 --json',
    ),
    "index": (
        "longpanda index film.mp4 --plan",
        "longpanda index film.mp4 --fps 1 --out film.vidx",
        "longpanda index recording.mp4 --append",
    ),
    "chat": ("longpanda chat film.vidx", "longpanda chat film.vidx --model runs/mine/model < questions.txt"),
    "demo": ("longpanda demo", "longpanda demo --seed 1 --keep demo.mp4"),
    "train": (
        "longpanda train nano",
        "longpanda train mine.yaml seed=3 stages.0.steps=100 --out runs/third --device cpu",
        "torchrun --nproc-per-node 2 -m longpanda train nano",
        "longpanda train --fields",
    ),
    "data": (
        "longpanda data prepare stage3.yaml --places places.yaml",
        "longpanda data show stage3.yaml --places places.yaml --html stage3.html",
    ),
    "data generate": ("longpanda data generate --out runs/clips --clips 2000 --seconds 2",),
    "data prepare": (
        "longpanda data prepare mine.yaml",
        "longpanda data prepare stage3.yaml --annotations annotations --root k710=videos/k710 --leave-out",
    ),
    "data show": (
        "longpanda data show mine.yaml --html mine.html --model runs/mine/model --max-frames 64",
        "longpanda data show stage3.yaml --places places.yaml --json",
    ),
    "info": ("longpanda info nano", "longpanda info runs/mine/model --json"),
    "probe": ("longpanda probe film.mp4", "longpanda probe film.mp4 --json"),
    "longwatch": (
        "longpanda longwatch make --minutes 3 10 --per-cell 8 --out runs/suite",
        "longpanda longwatch run runs/suite --model nano --out runs/nano.jsonl",
        "longpanda longwatch report runs/nano.jsonl --suite runs/suite",
    ),
    "longwatch make": (
        "longpanda longwatch make --minutes 3 10 --per-cell 8 --families needle order --out runs/suite",
        "longpanda longwatch make --split private --seed 417 --out runs/mine",
    ),
    "longwatch insert": ("longpanda longwatch insert walk.mp4 drive.mp4 --minutes 3 10 --out runs/real",),
    "longwatch verify": ("longpanda longwatch verify runs/suite", "longpanda longwatch verify runs/suite --frames"),
    "longwatch run": (
        "longpanda longwatch run examples/questions.jsonl --model nano --out runs/own.jsonl",
        "longpanda longwatch run runs/suite --model nano-long --device cuda --out runs/nano-long.jsonl",
        "longpanda longwatch run runs/suite --command 'python examples/answerer.py' --out runs/mine.jsonl",
        "longpanda longwatch run runs/suite --endpoint http://localhost:8000/v1 --frames 32 --out runs/server.jsonl",
    ),
    "longwatch audit": ("longpanda longwatch audit runs/suite --out runs/audit.json",),
    "longwatch report": (
        "longpanda longwatch report runs/nano.jsonl --suite runs/suite",
        "longpanda longwatch report runs/nano.jsonl runs/mine.jsonl --markdown runs/compared.md",
    ),
    "longwatch export": ("longpanda longwatch export runs/suite --out runs/data-set",),
}
"""Keys are the words of a verb or step; "" is the program itself."""


def examples(words: str) -> str:
    """Return the examples of a verb or step, as they follow the options in its help."""
    return "\n".join(["examples:", *(f"  {command}" for command in EXAMPLES[words])])
