"""What the pages promise: commands parse, files are there, links lead somewhere, tables are current, examples run."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import tables
from longpanda.cli.main import VERBS, main, parser
from longpanda.train.recipe import load_recipe

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("**/*.md"))]
NANO = ROOT / "longpanda" / "assets" / "nano"
LONGEST_README = 150
OUTPUTS = ("keep", "out", "markdown", "png", "html")
"""Options that name what a command writes."""
FILE_LIKE = re.compile(r"^[\w./-]+\.(mp4|mkv|json|jsonl|yaml|vidx)$|^[\w.-]+/[\w./-]+$")
OTHER_PROGRAMS = {"cd", "git", "pip", "python", "python3", "source", "tensorboard"}
"""What a block may call besides longpanda and make."""


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command in the bash blocks, in order, without comments."""
    for line in "".join(blocks(text, "bash")).replace("\\\n", " ").splitlines():
        for command in re.split(r"&&|\|", line):
            if words := shlex.split(command, comments=True):
                yield words


def bad_commands(text: str, targets: set[str]) -> Iterator[str]:
    """Commands that the program would refuse, and files that nothing made before they are read."""
    made: set[Path] = set()
    for words in commands(text):
        line, program = shlex.join(words), Path(words[0]).name
        if program == "longpanda":
            yield from (f"{line}: {why}" for why in _bad_verb(words[1:], made))
        elif program == "torchrun":
            yield from (f"{line}: {why}" for why in _bad_launch(words[1:], made))
        elif program == "make":
            named = [word for word in words[1:] if "=" not in word]
            yield from (f"{line}: no target '{target}'" for target in named if target not in targets)
        elif program not in OTHER_PROGRAMS:
            yield f"{line}: unknown program"


def _bad_launch(words: list[str], made: set[Path]) -> Iterator[str]:
    """`torchrun [OPTION NUMBER] -m longpanda VERB ...`."""
    module = words.index("-m") if "-m" in words else len(words)
    if words[module : module + 2] != ["-m", "longpanda"]:
        yield "it does not start longpanda"
    else:
        yield from _bad_verb(words[module + 2 :], made)


def _bad_verb(arguments: list[str], made: set[Path]) -> Iterator[str]:
    try:
        options = vars(parser().parse_args(arguments))
    except SystemExit as stopped:
        if stopped.code:
            yield "the parser refuses it"
        return
    read = [str(value) for name, value in options.items() if name not in (*OUTPUTS, "overrides", "questions")]
    for value in read:
        path = Path(value)
        if FILE_LIKE.match(value) and not (ROOT / path).exists() and not made & {path, *path.parents}:
            yield f"'{value}' is not in the repository and no earlier command makes it"
    made |= {Path(options[name]) for name in OUTPUTS if options.get(name)}
    if options["verb"] == "index" and not options["out"]:
        made.add(Path(options["video"]).with_suffix(".vidx"))
    if options["verb"] == "train":
        made.add(Path(options["out"] or Path("runs") / options["recipe"]))


def bad_tree(text: str, root: Path) -> Iterator[str]:
    """Differences between the tree on a page and what is there: every package, and nothing else."""
    trees = [block for block in blocks(text, "text") if block.startswith("longpanda/\n")]
    if not trees:
        yield "no block that starts with longpanda/"
        return
    inside = re.findall(r"^  (\S+)", trees[0], re.MULTILINE)
    beside = re.findall(r"^(\S+)", trees[0], re.MULTILINE)
    yield from (f"longpanda/{name} is not there" for name in inside if not (root / "longpanda" / name).exists())
    yield from (f"{name} is not there" for name in beside if not (root / name).exists())
    real = {f"{path.name}/" for path in (root / "longpanda").iterdir() if path.is_dir() and path.name != "__pycache__"}
    yield from (f"longpanda/{name} is not in the tree" for name in sorted(real - set(inside)))


def bad_links(text: str, page: Path) -> Iterator[str]:
    """Relative links to files or headings that do not exist."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists():
            yield f"{target}: no such file"
        elif anchor and anchor not in _anchors(path.read_text()):
            yield f"{target}: no such heading"


def _anchors(text: str) -> set[str]:
    """Headings as GitHub links to them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def make_targets() -> set[str]:
    """The targets of the Makefile that are meant for people."""
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse_and_find_their_files(page: Path) -> None:
    assert not list(bad_commands(page.read_text(), make_targets()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    assert not list(bad_links(page.read_text(), page))


def test_the_readme_names_the_two_commands_and_stays_short() -> None:
    lines = README.read_text().splitlines()
    assert {"make demo", "make test"} <= {line.split("#")[0].strip() for line in lines}
    assert len(lines) < LONGEST_README


def test_development_is_installed_before_training() -> None:
    """`make demo` brings no accelerate and no tensorboard."""
    order = [shlex.join(words[:2]) for words in commands(README.read_text())]
    assert order.index("make install") < order.index("longpanda train")


def test_the_number_of_parameters_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"\*nano\*, has ([\d,]+) parameters \(`longpanda info nano`\), (\d) layers", README.read_text())
    assert found
    assert int(found[2]) == load_recipe("nano", []).model.text["num_hidden_layers"]
    assert main(["info", "nano", "--json"]) == 0
    assert found[1] == f"{json.loads(capsys.readouterr().out)['parameters']['total']:,}"


def test_every_verb_is_shown() -> None:
    shown = {words[1] for words in commands(README.read_text()) if words[0] == "longpanda"}
    assert shown == set(VERBS)


def test_the_tree_is_the_real_one() -> None:
    not_trained_yet = set() if NANO.exists() else {"longpanda/assets/ is not there"}
    assert set(bad_tree(README.read_text(), ROOT)) == not_trained_yet


def test_tables_are_current() -> None:
    assert not tables.stale(), "run: make tables"


@pytest.mark.parametrize("code", [code for page in PAGES for code in blocks(page.read_text(), "python")])
def test_python_examples_run(code: str, tmp_path: Path) -> None:
    if not (NANO / "config.json").is_file():
        pytest.skip("longpanda/assets/nano is missing: it comes from `longpanda train nano`")
    from longpanda.longwatch import Split, film, generate, scene_seed

    for name in sorted(set(re.findall(r'"([\w-]+\.mp4)"', code))):
        film(generate(scene_seed(Split.DEV, 0), 60.0), tmp_path / name, size_px=96, fps=1.0)
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=quiet, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize(
    "text",
    [
        "```bash\nlongpanda asq demo.mp4 hello\n```\n",
        "```bash\nlongpanda ask README.md hello --framez 3\n```\n",
        "```bash\nlongpanda ask nowhere.mp4 hello\n```\n",
        "```bash\nlongpanda ask late.mp4 hello\nlongpanda demo --keep late.mp4\n```\n",
        "```bash\nlongpanda ask README.md hello --model runs/other/model\n```\n",
        "```bash\nmake nonsense\n```\n",
        "```bash\ntorchrun --nproc-per-node 2 train.py\n```\n",
        "```bash\ntorchrun --nproc-per-node 2 -m longpanda trian nano\n```\n",
        "```bash\ncurl example.org\n```\n",
    ],
)
def test_a_bad_command_is_caught(text: str) -> None:
    assert list(bad_commands(text, make_targets()))


def test_what_an_earlier_command_makes_may_be_read() -> None:
    text = (
        "```bash\nlongpanda demo --keep made.mp4  # a film\nlongpanda train nano seed=1\n"
        "longpanda ask made.mp4 'What?' \\\n  --model runs/nano/model && make test WORKERS=1\n```\n"
    )
    assert len(list(commands(text))) == 4
    assert not list(bad_commands(text, make_targets()))


def test_a_bad_link_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Over here\n")
    assert not list(bad_links("[a](page.md) [b](#over-here) [c](https://example.org)", page))
    assert len(list(bad_links("[a](none.md) [b](#over-there) [c](page.md#nowhere)", page))) == 3


def test_a_wrong_tree_is_caught(tmp_path: Path) -> None:
    for name in ("video", "model"):
        (tmp_path / "longpanda" / name).mkdir(parents=True)
    right = "```text\nlongpanda/\n  video/   files\n  model/   tensors\n```\n"
    assert not list(bad_tree(right, tmp_path))
    assert list(bad_tree(right.replace("  model/   tensors\n", ""), tmp_path))
    assert list(bad_tree(right.replace("  model/", "  audio/   sound\n  model/"), tmp_path))
    assert list(bad_tree(right.replace("  model/", "docs/\n  model/"), tmp_path))
    assert list(bad_tree("nothing", tmp_path))


class TestTables:
    """`benchmarks.tables`, on pages and results of its own."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        (tmp_path / "benchmarks" / "results").mkdir(parents=True)
        page = "before\n<!-- begin: nano_scores -->\n<!-- end: nano_scores -->\nafter\n"
        (tmp_path / "README.md").write_text(page)
        return tmp_path

    def write(self, root: Path, accuracy: float) -> None:
        family = {
            "questions": 200,
            "accuracy": accuracy,
            "interval": [0.8, 0.95],
            "chance": 1 / 90,
            "blind_accuracy": 0.01,
            "blind_interval": [0.0, 0.02],
        }
        machine = {"processor": "a processor", "cpus": 2, "memory_bytes": 2**34, "torch": "2.13.0"}
        result = {"machine": machine, "command": "python -m benchmarks.nano", "families": {"needle": family}}
        (root / "benchmarks" / "results" / "nano_scores.json").write_text(json.dumps(result))

    def renew(self, root: Path) -> str:
        page = root / "README.md"
        page.write_text(tables.renewed(page.read_text(), root / "benchmarks" / "results"))
        return page.read_text()

    def test_a_table_is_stale_until_it_is_written_and_after_new_results(self, root: Path) -> None:
        self.write(root, 0.9)
        assert tables.stale(root) == [root / "README.md"]
        page = self.renew(root)
        assert "| needle | 200 | 90.0% [80.0%, 95.0%] | 1.0% [0.0%, 2.0%] | 1.1% |" in page
        assert page.startswith("before\n")
        assert page.endswith("\nafter\n")
        assert not tables.stale(root)
        self.write(root, 0.85)
        assert tables.stale(root)

    def test_a_missing_result_is_said_and_not_made_up(self, root: Path) -> None:
        assert "Not measured yet" in self.renew(root)

    @pytest.mark.parametrize(
        "page",
        [
            "<!-- begin: nothing -->\n<!-- end: nothing -->\n",
            "<!-- begin: nano_scores -->\n",
            "<!-- end: nano_scores -->\n",
            "<!-- begin: nano_scores -->\n<!-- end: ask_cpu -->\n",
        ],
    )
    def test_broken_markers_are_an_error(self, page: str, root: Path) -> None:
        with pytest.raises(ValueError, match=r"unknown table|does not pair|has no end"):
            tables.renewed(page, root / "benchmarks" / "results")
