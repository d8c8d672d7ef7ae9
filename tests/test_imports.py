"""Imports go one way, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.formats.onnx import messages

PACKAGE = Path(__file__).parent.parent / "convcalc"

# A module may import from lines above its own, and from its own line (a folder is one line).
ORDER = (
    "_version",
    "errors",
    "files",
    "processes",
    "shapes",
    "ops",
    "graph",
    "language",
    "images",
    "weights",
    "formats",
    "analysis",
    "layer",
    "exercises",
    "backends",
    "inference",
    "render",
    "report",
    "page",
    "manual",
    "api",
    "cli",
    "__main__",
)


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part(path: Path) -> str:
    """The line of ORDER a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The parts of convcalc that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        parts = [name.split(".") for name in names]
        found |= {name[1] for name in parts if name[0] == "convcalc" and len(name) > 1 and name[1] in ORDER}
    return found


def test_the_order_has_the_rooms_there_are() -> None:
    assert {part(path) for path in modules()} == set(ORDER)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    here = ORDER.index(part(path))
    assert {name for name in imported(path) if ORDER.index(name) > here} == set()


# What a report or a screen may not ask for: it is given records, which have what is shown.
ROOMS_OF_FUNCTIONS = {"ops", "language", "analysis", "layer", "exercises", "backends", "inference"}


def names_imported(path: Path) -> list[tuple[str, ...]]:
    """What a file imports of convcalc, at its top or inside functions: ("analysis", "fold", "rows")."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [tuple(name.split(".")[1:]) for name in found if name.split(".")[0] == "convcalc" and "." in name]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_begins_with_an_underscore_stays_in_its_room(path: Path) -> None:
    foreign = [name for name in names_imported(path) if name[0] != part(path)]
    private = re.compile(r"_(?!_)")
    assert [name for name in foreign if any(map(private.match, name[name[0] == "_version" :]))] == []


def modules_of(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("path", modules_of("cli"), ids=lambda path: path.name)
def test_the_command_line_imports_the_api_and_how_it_is_shown(path: Path) -> None:
    allowed = {"api", "report", "render", "errors", "cli", "__version__"}
    assert {name for name in names_imported(path) if name[0] not in allowed} == set()


@pytest.mark.parametrize("path", [*modules_of("report"), *modules_of("render")], ids=lambda path: path.name)
def test_what_shows_records_calls_no_function_that_makes_them(path: Path) -> None:
    """Of the rooms that compute only classes and constants are imported: no module, and no function."""
    foreign = [name for name in names_imported(path) if name[0] in ROOMS_OF_FUNCTIONS]
    assert [name for name in foreign if not name[-1][:1].isupper()] == []


def module(path: Path) -> str:
    """A file's module, such as convcalc.weights.npz; a folder's __init__ is the folder."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(path: Path, known: Collection[str]) -> set[str]:
    """The modules that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            # from convcalc.language import reader: the module reader, not what the folder's __init__ holds
            found |= members & set(known) if members <= set(known) else members | {node.module}
    return (found & set(known)) - {module(path)}


def test_no_circle_of_imports_within_a_folder() -> None:
    """Between folders the order forbids them. What imports no module of the rest, or is imported by none, is
    in no circle: without it, nothing may be left."""
    known = {module(path) for path in modules()}
    rest = {module(path): imported_modules(path, known) for path in modules()}
    size = -1
    while size != len(rest):
        size = len(rest)
        rest = {name: needs & rest.keys() for name, needs in rest.items() if needs & rest.keys()}
        needed = set().union(*rest.values())
        rest = {name: needs for name, needs in rest.items() if name in needed}
    assert rest == {}


ORACLES = {"onnx", "onnxruntime"}  # packages of the tests, whose work convcalc does by itself


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_oracles_are_for_the_tests_alone(path: Path) -> None:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    assert found & ORACLES == set()


def loaded(code: str) -> set[str]:
    """The modules loaded after running some code in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


HEAVY = {
    "rich",
    "PIL",
    "numpy",
    "numba",
    "yaml",
    "click",
    "ast",
    "dataclasses",
    "multiprocessing",
    "urllib.request",
}


def test_importing_convcalc_loads_nothing() -> None:
    assert loaded("import convcalc") & HEAVY == set()


def test_the_api_loads_neither_terminal_nor_pictures_nor_numpy() -> None:
    code = "import convcalc; convcalc.load('alexnet').totals"
    assert loaded(code) & {"rich", "PIL", "numpy", "numba", "click", "multiprocessing"} == set()


@pytest.mark.parametrize("form", ["json", "csv", "markdown"])
def test_plain_formats_do_not_load_rich(form: str) -> None:
    code = (
        "from convcalc.cli import main\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    main(['show', 'alexnet', '--format', '{form}'], standalone_mode=False)"
    )
    assert loaded(code) & {"rich", "PIL", "numpy", "numba"} == set()


def test_help_loads_nothing_but_click() -> None:
    code = (
        "from convcalc.cli import main\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(['--help'], standalone_mode=False)"
    )
    ours = {name for name in loaded(code) if name.startswith("convcalc")}
    assert ours == {"convcalc", "convcalc._version", "convcalc.cli"}
    assert loaded(code) & {"rich", "yaml", "PIL", "numpy"} == set()


def after(*arguments: str) -> set[str]:
    """The modules loaded after a command."""
    return loaded(
        "from convcalc.cli import main\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    main({[*arguments]}, standalone_mode=False)"
    )


# What commands that only read specs may load, besides the modules of WHOLE rooms that are not ON_DEMAND. Each module
# costs every start 0.2 ms or more: what only some commands use is imported where they use it.
READING = """
    _version errors shapes graph
    ops._axes ops._base ops._dot ops._fields ops._gradients ops._pooling ops._sliding ops._working
    ops.conv ops.dense ops.flatten ops.maxpool ops.relu ops.softmax
    analysis.analyse analysis.receptive report.words
    api.arguments api.choices api.net api.views cli.completion cli.options
"""
COMMANDS = {
    "show alexnet": "analysis.fold report.show cli.show",
    "show alexnet --explain": "analysis.explain analysis.costs analysis.fold "
    "report.show report.show_explanation report.values cli.show",
    "diff alexnet zfnet": "analysis.align analysis.diff analysis.explain analysis.costs "
    "report.diff report.values api.diff cli.diff",
}
WHOLE = {"language", "render"}
ON_DEMAND = {
    "language.budget", "language.quantities", "language.revision",
    "language.foreign", "language.mistakes", "language.planned", "language.schema", "language.slips",
    "language.synonyms", "render.html", "render.json", "render.markdown", "render.picture", "cli.shells",
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_loads(command: str) -> None:
    found = after(*command.split())
    own = {name.partition(".")[2] for name in found if name.startswith("convcalc.")}
    allowed = set(f"{READING} {COMMANDS[command]}".split())
    rooms = {name.partition(".")[0] for name in allowed}
    others = {name for name in own - allowed - rooms if name.partition(".")[0] not in WHOLE}
    assert others == set()
    assert own & ON_DEMAND == set()
    packages = {name for name in found if name.partition(".")[0] in {"rich", "PIL", "numpy", "numba"}}
    assert packages | found & {"multiprocessing", "json", "csv", "click.shell_completion"} == set()


def test_show_of_a_model_reads_no_spec_and_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    weight = messages.floats("w", [3, 2, 2, 1], range(12))
    path.write_bytes(messages.chain(messages.node("Conv", ["x", "w"], ["y"]), tensors=[weight]))
    found = after("show", str(path))
    assert found & {"yaml", "rich", "PIL", "numpy", "numba", "onnx", "multiprocessing", "json"} == set()
    rooms = {name.split(".")[1] for name in found if name.startswith("convcalc.")}
    assert rooms & {"images", "backends", "inference", "layer", "exercises", "manual"} == set()
    assert {name for name in found if name.startswith("convcalc.weights.")} == {"convcalc.weights.tensors"}
    language = {
        name.removeprefix("convcalc.language.") for name in found if name.startswith("convcalc.language.")
    }
    assert language == {"bundled", "tasks"}  # names of networks and of tasks, no parser


def test_an_operator_is_loaded_by_its_name() -> None:
    kinds = {path.stem for path in modules_of("ops") if not path.stem.startswith("_")}
    found = {name.rpartition(".")[2] for name in after("show", "alexnet") if name.startswith("convcalc.ops.")}
    assert found & kinds == {"conv", "dense", "flatten", "maxpool", "relu", "softmax"}


def test_a_short_command_never_looks_for_garbage() -> None:
    code = (
        "import gc, os, sys\n"
        "looks = []\n"
        "gc.callbacks.append(lambda phase, info: looks.append(phase))\n"
        "from convcalc.__main__ import run\n"
        "sys.argv[1:] = ['show', 'alexnet']\n"
        "out, sys.stdout = sys.stdout, open(os.devnull, 'w')\n"
        "before = len(looks)\n"
        "try:\n"
        "    run()\n"
        "except SystemExit as end:\n"
        "    sys.stdout = out\n"
        "    print('code', end.code, 'looks', len(looks) - before, 'frozen', gc.get_freeze_count() > 10_000)\n"
        "    gc.callbacks.clear()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "code 0 looks 0 frozen True\n"
