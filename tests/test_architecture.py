"""The rules of the house that a program can check: who imports whom, sizes of files and functions, where things live.

Every rule reads one file and returns complaints; `CAUGHT` holds, for each rule, sources that it must complain about.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
ROWS = (
    {"errors", "shapes", "memory", "thinking", "provenance"},
    {"files"},
    {"types"},
    {"video"},
    {"model", "processing"},
    {"index", "data", "longwatch"},
    {"inference"},
    {"train", "evaluate"},
    {"harness"},
    {"study"},
    {"serve", "cli"},
    {"__main__"},
)
"""Low to high: a package sees itself and lower rows."""
NARROWER = {
    "longwatch": {"errors", "files", "shapes", "thinking", "types", "video"},
    "evaluate": {"errors", "files", "shapes", "thinking", "types"},
}
"""Packages that see less than their row allows."""
HOMES = {
    ("av", "torchcodec", "decord", "cv2", "imageio"): ("video/",),
    ("fastapi", "starlette", "uvicorn"): ("serve/",),
    ("matplotlib",): ("study/figures.py", "evaluate/figure.py"),
    ("jinja2",): ("evaluate/report.py", "data/page.py", "processing/templates.py"),
    ("httpx", "httpx2", "requests", "urllib3", "openai"): ("evaluate/endpoint.py",),
    ("argparse", "tqdm", "shtab", "rich", "tyro"): ("cli/",),
}
"""Libraries that are imported in one place only, TYPE_CHECKING or not."""
LONGEST_FILE, LONGEST_FUNCTION = 500, 80
HEAVY = {"torch", "transformers", "av", "matplotlib"}
LIGHT_IMPORTS = (
    "import longpanda",
    "import longpanda.video",
    "import longpanda.longwatch",
    "import longpanda.train.recipe",
    "import longpanda.cli.main; longpanda.cli.main.parser().format_help()",
)
MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9_.])/(work|farm|root|opt/wheels|home/\w+|Users/\w+)/")


class File(NamedTuple):
    """A file of the repository by its path from the root."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def package(self) -> str:
        """`video` of longpanda/video/decode.py, `types` of longpanda/types.py."""
        return Path(self.path).parts[1].removesuffix(".py")

    @property
    def is_package_code(self) -> bool:
        return self.path.startswith("longpanda/") and self.path.endswith(".py")

    def is_in(self, homes: tuple[str, ...]) -> bool:
        return self.path.removeprefix("longpanda/").startswith(homes)


def imported(file: File) -> Iterator[str]:
    """Dotted names of all imports, wherever they stand; `from a import b` is a.b."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" if not node.level else "relative" for alias in node.names)


def direction(file: File) -> Iterator[str]:
    """Imports go down the rows, never sideways; processing knows the model by its configuration only."""
    if not file.is_package_code or file.path == "longpanda/__init__.py":
        return
    rank = {name: number for number, row in enumerate(ROWS) for name in row}
    if file.package not in rank:
        yield f"package '{file.package}' stands in no row of the design"
        return
    for name in imported(file):
        parts = name.split(".")
        if parts[0] == "relative":
            yield "a relative import"
        if parts[0] != "longpanda" or parts[1:2] in (["__version__"], [file.package]):
            continue
        target = parts[1] if len(parts) > 1 else "all of longpanda"
        narrow = NARROWER.get(file.package)
        is_lower = target in narrow if narrow else rank.get(target, len(ROWS)) < rank[file.package]
        is_configuration = file.package == "processing" and name.startswith("longpanda.model.configuration.")
        if not is_lower and not is_configuration:
            yield f"{file.package} imports {name}"


def libraries(file: File) -> Iterator[str]:
    """Video, web, plotting and command-line libraries stay where they belong."""
    if not file.is_package_code:
        return
    for name in imported(file):
        for group, homes in HOMES.items():
            if name.split(".")[0] in group and not file.is_in(homes):
                yield f"imports {name}, which belongs to {' and '.join(homes)}"


def surroundings(file: File) -> Iterator[str]:
    """Only the command line prints, reads arguments and environment, and exits."""
    if not file.is_package_code or file.is_in(("cli/",)):
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "input", "exit", "os.getenv"):
            yield f"line {node.lineno}: calls {ast.unparse(node.func)}"
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "sys.argv", "sys.exit"):
            yield f"line {node.lineno}: uses {ast.unparse(node)}"


def file_length(file: File) -> Iterator[str]:
    """A file that needs a table of contents is two files."""
    lines = len(file.text.splitlines())
    if file.path.endswith(".py") and lines > LONGEST_FILE:
        yield f"{lines} lines, at most {LONGEST_FILE}"


def functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (child for child in ast.walk(node) if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def function_length(file: File) -> Iterator[str]:
    """A function that needs a second screen is two functions."""
    if not file.path.endswith(".py"):
        return
    for function in functions(file.tree):
        lines = (function.end_lineno or 0) - function.lineno + 1
        if lines > LONGEST_FUNCTION:
            yield f"{function.name} has {lines} lines, at most {LONGEST_FUNCTION}"


def nested(file: File) -> Iterator[str]:
    """No function inside a function; a test alone may hold its callback."""
    if not file.path.startswith(("longpanda/", "benchmarks/")) or not file.path.endswith(".py"):
        return
    for outer in functions(file.tree):
        for inner in functions(outer):
            if inner is not outer:
                yield f"line {inner.lineno}: {inner.name} is defined inside {outer.name}"


def no_utils(file: File) -> Iterator[str]:
    """A name that says nothing collects everything."""
    if Path(file.path).stem in ("utils", "util", "helpers", "misc", "common"):
        yield "a file named after nothing"


def bare_init(file: File) -> Iterator[str]:
    """`__init__.py` exports and does nothing else; the top one may do so lazily."""
    if not file.is_package_code or Path(file.path).name != "__init__.py":
        return
    assignable = {"__all__", "__version__"}
    lazy = {"_HOMES", "__getattr__", "__dir__"} if file.path == "longpanda/__init__.py" else set()
    for node in file.tree.body:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
                continue
            case ast.If(test=ast.Name("TYPE_CHECKING"), orelse=[]) if all(
                isinstance(n, ast.ImportFrom) for n in node.body
            ):
                continue
            case ast.Assign(targets=[ast.Name(name)]) if name in assignable | lazy:
                continue
            case ast.FunctionDef(name=name) if name in lazy:
                continue
        yield f"line {node.lineno}: {ast.unparse(node).splitlines()[0]}"


def machine_paths(file: File) -> Iterator[str]:
    """Nothing names a folder of the machine it was written on."""
    for number, line in enumerate(file.text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield f"line {number}: {line.strip()[:100]}"


Rule = Callable[[File], Iterator[str]]
RULES: tuple[Rule, ...] = (
    direction,
    libraries,
    surroundings,
    file_length,
    function_length,
    nested,
    no_utils,
    bare_init,
    machine_paths,
)
CAUGHT: tuple[tuple[Rule, str, str], ...] = (
    (direction, "longpanda/video/decode.py", "from longpanda.model.stab import Stab"),
    (direction, "longpanda/video/decode.py", "def f():\n    import longpanda.cli"),
    (direction, "longpanda/model/stab.py", "from longpanda import processing"),
    (direction, "longpanda/processing/prompt.py", "from longpanda.model.modeling import X"),
    (direction, "longpanda/processing/prompt.py", "import longpanda.model"),
    (direction, "longpanda/longwatch/film.py", "from longpanda.processing import LongPandaProcessor"),
    (direction, "longpanda/evaluate/runner.py", "from longpanda.index import load"),
    (direction, "longpanda/index/builder.py", "from longpanda.longwatch import generate"),
    (direction, "longpanda/index/builder.py", "from longpanda.inference.load import LongPanda"),
    (direction, "longpanda/longwatch/examples.py", "from longpanda.train.recipe import Recipe"),
    (direction, "longpanda/evaluate/runner.py", "from longpanda.harness.systems import System"),
    (direction, "longpanda/harness/run.py", "from longpanda.cli.bars import bar"),
    (direction, "longpanda/errors.py", "if TYPE_CHECKING:\n    from longpanda.types import Sample"),
    (direction, "longpanda/train/run.py", "import longpanda"),
    (direction, "longpanda/train/run.py", "from longpanda import load"),
    (direction, "longpanda/train/run.py", "from .recipe import Recipe"),
    (direction, "longpanda/tools/new.py", ""),
    (libraries, "longpanda/inference/session.py", "def f():\n    import av"),
    (libraries, "longpanda/model/stab.py", "if TYPE_CHECKING:\n    from av.stream import Disposition"),
    (libraries, "longpanda/study/fit.py", "import matplotlib.pyplot as plt"),
    (libraries, "longpanda/train/run.py", "import argparse"),
    (surroundings, "longpanda/inference/load.py", "print('hello')"),
    (surroundings, "longpanda/inference/load.py", "import os\nx = os.environ['HOME']"),
    (surroundings, "longpanda/inference/load.py", "import sys\nsys.exit(2)"),
    (file_length, "longpanda/inference/load.py", "x = 1\n" * 501),
    (function_length, "tests/test_load.py", "def f():\n" + "    x = 1\n" * 80),
    (function_length, "longpanda/a.py", "class A:\n    async def f(self):\n" + "        x = 1\n" * 80),
    (nested, "longpanda/inference/load.py", "def f():\n    def g():\n        pass"),
    (
        nested,
        "longpanda/inference/load.py",
        "class A:\n    def f(self):\n        class B:\n            def g(self): ...",
    ),
    (no_utils, "longpanda/video/utils.py", ""),
    (bare_init, "longpanda/video/__init__.py", "CACHE = {}"),
    (bare_init, "longpanda/video/__init__.py", "def __getattr__(name): ..."),
    (bare_init, "longpanda/__init__.py", "import os\nos.umask(0)"),
    (machine_paths, "docs/notes.md", "see {}work/shared/notes.md".format("/")),
    (machine_paths, "docs/notes.md", "cd {}home/someone/src".format("/")),
)
FINE: tuple[tuple[Rule, str, str], ...] = (
    (direction, "longpanda/train/data_kinds.py", "from longpanda.longwatch.examples import LongWatchData"),
    (direction, "longpanda/processing/prompt.py", "from longpanda.model.configuration import StabConfig"),
    (
        direction,
        "longpanda/harness/systems.py",
        "from longpanda.evaluate import Command\nfrom longpanda.index import load",
    ),
    (direction, "longpanda/cli/main.py", "from longpanda import __version__\nfrom longpanda.cli import ask"),
    (
        direction,
        "longpanda/longwatch/film.py",
        "from longpanda.video import encode\nfrom longpanda.longwatch import world",
    ),
    (libraries, "longpanda/video/decode.py", "import av"),
    (surroundings, "longpanda/cli/ask.py", "print('hello')"),
    (function_length, "longpanda/a.py", "def f():\n" + "    x = 1\n" * 79),
    (nested, "longpanda/a.py", "class A:\n    class B:\n        def f(self): ..."),
    (nested, "tests/test_a.py", "def test_f():\n    def g(): ..."),
    (bare_init, "longpanda/__init__.py", "def __getattr__(name): ..."),
    (machine_paths, "docs/notes.md", "docs/work/notes.md, and/or, https://example.org/root/x"),
)


@pytest.fixture(scope="module")
def files() -> list[File]:
    """Every text file that git tracks, or would with `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: which files are the repository's is not known")
    paths = sorted(path for path in listed.stdout.decode().split("\0") if path and (ROOT / path).is_file())
    return [File(path, text) for path in paths if (text := _text(ROOT / path)) is not None]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_keeps(rule: Rule, files: list[File]) -> None:
    complaints = [f"{file.path}: {complaint}" for file in files for complaint in rule(file)]
    assert not complaints, f"{rule.__doc__}\n" + "\n".join(complaints)


def test_the_package_is_among_the_files(files: list[File]) -> None:
    paths = {file.path for file in files}
    assert {"longpanda/__init__.py", "longpanda/video/decode.py", "tests/test_architecture.py"} <= paths


@pytest.mark.parametrize(("rule", "path", "text"), CAUGHT, ids=lambda value: getattr(value, "__name__", None))
def test_a_violation_is_caught(rule: Rule, path: str, text: str) -> None:
    assert list(rule(File(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), FINE, ids=lambda value: getattr(value, "__name__", None))
def test_what_is_allowed_is_not_caught(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(File(path, text)))


def test_every_rule_has_a_violation_to_catch() -> None:
    assert {rule for rule, _, _ in CAUGHT} == set(RULES)


def loaded_by(statement: str, watched: set[str]) -> set[str]:
    """Which of the watched modules a fresh Python has loaded after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return watched & set(json.loads(ran.stdout.splitlines()[-1]))


@pytest.mark.parametrize("statement", LIGHT_IMPORTS)
def test_nothing_heavy_is_loaded_before_it_is_used(statement: str) -> None:
    assert not loaded_by(statement, HEAVY)


def test_a_heavy_import_would_be_seen() -> None:
    assert loaded_by("import longpanda.cli.main", {"argparse", "torch"}) == {"argparse"}
