"""Loading specs given as texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from convcalc.errors import ConvcalcError, SpecErrors
from convcalc.graph import Graph
from convcalc.language.load import load_graph


class Specs:
    """A folder of specs. A text that starts with layers gets a name and an input of 4×16×16."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, file: str = "net.yaml") -> str:
        text = dedent(text)
        if text.lstrip().startswith(("- ", "-\n")):
            text = "layers:\n" + text
        head = ""
        if "name:" not in {line.split(" ")[0] for line in text.splitlines()}:
            head += "name: t\n"
        words = {line.split(" ")[0] for line in text.splitlines()}
        if words.isdisjoint(("input:", "inputs:")) and "extends:" not in text:
            head += "input: [4, 16, 16]\n"
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + text, encoding="utf-8")
        return str(path)

    def load(self, text: str, **options: object) -> Graph:
        return load_graph(self.write(text), **options)  # type: ignore[arg-type]

    def wiring(self, text: str, **options: object) -> str:
        """`conv1(input) relu1(conv1)`: every layer with what it reads."""
        graph = self.load(text, **options)
        return " ".join(
            f"{node.name}({' '.join(graph.input_name(index) for index in node.inputs)})" for node in graph
        )

    def errors(self, text: str, **options: object) -> list[ConvcalcError]:
        with pytest.raises(ConvcalcError) as caught:
            self.load(text, **options)
        error = caught.value
        str(error)
        return list(error.errors) if isinstance(error, SpecErrors) else [error]

    def error(self, text: str, **options: object) -> ConvcalcError:
        errors = self.errors(text, **options)
        assert len(errors) == 1, [error.message for error in errors]
        return errors[0]


def reading(*names: str) -> str:
    """A block that no layer uses and that reads the variables, which a file must not have for nothing."""
    return f"blocks: {{reading: {{layers: [{{relu: {{name: {''.join(f'${name}' for name in names)}}}}}]}}}}\n"


@pytest.fixture
def specs(tmp_path: Path) -> Specs:
    """A folder to write specs to and load them from."""
    return Specs(tmp_path)


@pytest.fixture(scope="session")
def shapes_of() -> Callable[[Graph], list[tuple[object, ...]]]:
    """What two spellings of one network must agree in."""

    def shapes(graph: Graph) -> list[tuple[object, ...]]:
        return [(n.name, n.op, n.inputs, n.output_shape, n.scope, n.shares, dict(n.keys)) for n in graph]

    return shapes
