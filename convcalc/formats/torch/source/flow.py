"""The body of a `forward`: steps in execution order, written as nested calls with few variables.

A value that one step reads is nested into that step's call, unless the line grows long or a new step of the network
begins. The others are variables; a step takes over the name of a variable that it reads last.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from convcalc.formats.torch.source.layout import WIDTH, statement
from convcalc.formats.torch.source.site import Call
from convcalc.formats.torch.source.symbols import names_in, unique

MAX_NESTED = 4  # calls within one another
MAX_BRANCH = 44  # characters of a branch within a join's line
FAR = 8  # steps over which a value keeps a name of its own
SPARE = ("y", "z", "u", "v", "w")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a `forward`. call: with `{0}`, `{1}` for the inputs, which are the numbers of earlier values.
    weighted: whether it has weights. hint: a name for the value. flag: an attribute; where it is false, the value is
    that of the first input."""

    call: str
    inputs: tuple[int, ...]
    weighted: bool = False
    hint: str = ""
    flag: str = ""

    @property
    def is_join(self) -> bool:
        """Whether it reads several values."""
        return len(self.inputs) > 1


@dataclass(slots=True)
class _Text:
    """The source of a value: nested calls that read variables."""

    source: str
    depth: int


@dataclass(slots=True)
class Flow:
    """Steps of a `forward`. arguments: the names of its inputs, which are the first values."""

    arguments: list[str]
    steps: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> int:
        """Adds a step and returns the number of its value."""
        self.steps.append(step)
        return len(self.arguments) + len(self.steps) - 1

    def drop_first(self) -> None:
        """Leave out the first argument, which nothing reads."""
        self.arguments.pop(0)
        self.steps = [
            replace(step, inputs=tuple([place - 1 for place in step.inputs])) for step in self.steps
        ]

    def reads(self, place: int, results: Sequence[int]) -> bool:
        """Whether a step reads a value, or it is a result."""
        return place in results or any(place in step.inputs for step in self.steps)

    def lines(self, results: Mapping[str, int], depth: int, *, named: bool = True) -> list[str]:
        """The lines of the body. results: the values to return, by name; one is returned by itself, several in a
        dictionary, or a tuple if they are not named."""
        return _Writer(self, results, depth, named).written()


class _Writer:
    def __init__(self, flow: Flow, results: Mapping[str, int], depth: int, named: bool) -> None:
        self.flow = flow
        self.results = results
        self.named = named
        self.depth = depth
        self.first = len(flow.arguments)
        self.readers: list[list[int]] = [[] for _ in range(self.first + len(flow.steps))]
        self._count(results)
        self.texts: dict[int, _Text] = {place: _Text(name, 0) for place, name in enumerate(flow.arguments)}
        self.owner: dict[str, int] = {name: place for place, name in enumerate(flow.arguments)}
        self.pending: set[int] = set()
        self.now = self.first  # the step that is written
        self.out: list[str] = []

    def _count(self, results: Mapping[str, int]) -> None:
        """Finds the readers of each value; a step whose value nobody reads is left out with all that serves it."""
        needed = set(results.values())
        for place in range(self.first + len(self.flow.steps) - 1, self.first - 1, -1):
            if place in needed:
                needed.update(self.flow.steps[place - self.first].inputs)
        end = self.first + len(self.flow.steps)
        for place in sorted(needed):
            if place >= self.first:
                for source in self.flow.steps[place - self.first].inputs:
                    self.readers[source].append(place)
        for source in results.values():
            self.readers[source].append(end)

    def written(self) -> list[str]:
        for place in range(self.first, self.first + len(self.flow.steps)):
            if self.readers[place]:
                self._step(place)
        self._return()
        return self.out

    def _step(self, place: int) -> None:
        step = self.flow.steps[place - self.first]
        self.now = place
        if step.flag:
            self._guarded(place, step)
            return
        if step.is_join:
            self._shorten(step)
        text = self._filled(step)
        self.texts[place] = text
        if self._is_nested(place, step, text):
            self.pending.add(place)
            return
        self._assign(place, step.hint)

    def _filled(self, step: Step) -> _Text:
        """The step's call with its inputs' sources; inputs that were pending are now part of it."""
        parts = [self.texts[source] for source in step.inputs]
        source = filled(step.call, tuple([part.source for part in parts]))
        self.pending.difference_update(step.inputs)
        deep = max([part.depth for part in parts], default=0)
        return _Text(source, deep + (0 if step.call == "{0}" else 1))

    def _shorten(self, step: Step) -> None:
        """Assigns the branches of a join that are too long for its line, the longest first."""
        inside = [source for source in dict.fromkeys(step.inputs) if source in self.pending]
        for source in inside:
            if (
                len(self.texts[source].source) > MAX_BRANCH
                or step.call.count(f"{{{step.inputs.index(source)}}}") > 1
            ):
                self._assign(source, self._hint(source))
        while True:
            inside = [source for source in dict.fromkeys(step.inputs) if source in self.pending]
            text = filled(step.call, tuple([self.texts[source].source for source in step.inputs]))
            if not inside or len(text) <= WIDTH - 4 * self.depth - 12:
                return
            longest = max(inside, key=lambda source: len(self.texts[source].source))
            self._assign(longest, self._hint(longest))

    def _hint(self, place: int) -> str:
        return self.flow.steps[place - self.first].hint

    def _is_nested(self, place: int, step: Step, text: _Text) -> bool:
        """Whether the value becomes part of its reader's line."""
        readers = self.readers[place]
        if len(readers) > 1:
            return False
        if readers[0] == self.first + len(self.flow.steps):
            return True
        reader = self.flow.steps[readers[0] - self.first]
        if reader.flag or reader.call.count(f"{{{reader.inputs.index(place)}}}") > 1:
            return False
        if reader.is_join:
            return True
        if len(text.source) + len(reader.call) > WIDTH - 4 * self.depth - 16 or text.depth >= MAX_NESTED:
            return False
        return not (reader.weighted and not step.weighted and text.depth >= 2)

    def _assign(self, place: int, hint: str) -> None:
        text = self.texts[place]
        self.pending.discard(place)
        name = self._name(place, text, hint)
        if text.source != name:
            self.out += broken(f"{name} = ", text.source, self.depth)
        self.owner[name] = place
        self.texts[place] = _Text(name, 0)

    def _name(self, place: int, text: _Text, hint: str) -> str:
        """A variable for a value: that of an input which is read for the last time, else a new one."""
        read = [name for name in self.owner if name in names_in(text.source)]
        free = [name for name in read if self._is_free(name, place)]
        readers = self.readers[place]
        lasts = hint and len(readers) > 1 and readers[-1] - place > FAR
        if free and not lasts:
            return min(free, key=lambda name: name not in ("x", *SPARE))
        taken = {name for name in self.owner if not self._is_free(name, place)}
        if hint and (lasts or len(readers) > 1) and hint not in taken:
            return hint
        return next((name for name in SPARE if name not in taken), unique(hint or "y", taken))

    def _is_free(self, name: str, place: int) -> bool:
        """Whether no step that is still to be written, and no pending value, reads the variable."""
        done = self.now if place == self.now else self.now - 1
        if any(reader > done for reader in self.readers[self.owner[name]]):
            return False
        return not any(name in names_in(self.texts[other].source) for other in self.pending)

    def _guarded(self, place: int, step: Step) -> None:
        """A step that an attribute switches: the variable of its input is changed under `if`."""
        source = step.inputs[0]
        if source in self.pending:
            self._assign(source, "")
        before = self.texts[source].source
        text = self._filled(step)
        self.texts[place] = text
        name = self._name(place, text, "")
        pad = "    " * self.depth
        if name != before:
            self.out.append(f"{pad}{name} = {before}")
        self.out.append(f"{pad}if {step.flag}:")
        self.out += broken(f"{name} = ", text.source, self.depth + 1)
        self.owner[name] = place
        self.texts[place] = _Text(name, 0)

    def _return(self) -> None:
        self.now = self.first + len(self.flow.steps)
        if len(self.results) == 1:
            (place,) = self.results.values()
            self.out += broken("return ", self.texts[place].source, self.depth)
            return
        items = [(name, self.texts[place].source) for name, place in self.results.items()]
        pad, inner = "    " * self.depth, "    " * (self.depth + 1)
        if not self.named:
            self.out.append(f"{pad}return {', '.join(text for _, text in items)}")
            return
        self.out += [f"{pad}return {{", *(f"{inner}{name}: {text}," for name, text in items), f"{pad}}}"]


def broken(start: str, source: str, depth: int) -> list[str]:
    """The lines of a statement; a long call is broken within its parentheses."""
    if len(start) + len(source) + 4 * depth <= WIDTH:
        return statement(start, source, depth)
    return statement(start, _call(ast.parse(source, mode="eval").body, source), depth)


def _call(tree: ast.expr, source: str) -> Call | str:
    """A call, or a list, with its arguments apart."""
    if isinstance(tree, ast.List):
        return Call("", tuple(_call(item, source) for item in tree.elts), "[]")
    segment = ast.get_source_segment(source, tree) or ast.unparse(tree)
    if not isinstance(tree, ast.Call):
        return segment
    name = ast.get_source_segment(source, tree.func) or ast.unparse(tree.func)
    words = [f"{word.arg}={ast.get_source_segment(source, word.value)}" for word in tree.keywords]
    return Call(name, (*(_call(item, source) for item in tree.args), *words))


@cache
def _bare(template: str) -> frozenset[int]:
    """The inputs that stand in the template where a sum would need parentheses."""
    text = template
    places = [place for place in range(template.count("{")) if f"{{{place}}}" in template]
    for place in places:
        text = text.replace(f"{{{place}}}", f"_{place}_")
    found = set()
    for node in ast.walk(ast.parse(text, mode="eval")):
        inner: Sequence[ast.expr] = ()
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            inner = (node.value,)
        elif isinstance(node, ast.BinOp):
            inner = (node.left, node.right)
        elif isinstance(node, ast.IfExp):
            inner = (node.body, node.orelse)
        for operand in inner:
            if isinstance(operand, ast.Name) and operand.id.startswith("_") and operand.id.endswith("_"):
                found.add(int(operand.id.strip("_")))
    return frozenset(found)


def filled(template: str, sources: tuple[str, ...]) -> str:
    """The template with its inputs, in parentheses where they need them."""
    bare = _bare(template)
    text = template
    for place, source in enumerate(sources):
        inner = f"({source})" if place in bare and not _is_atom(source) else source
        text = text.replace(f"{{{place}}}", inner)
    return text


def _is_atom(source: str) -> bool:
    if source.isidentifier():
        return True
    return isinstance(ast.parse(source, mode="eval").body, (ast.Call, ast.Attribute, ast.Subscript, ast.Name))
