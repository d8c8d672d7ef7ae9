"""The classes of blocks: arguments for parameters and for sizes of what the uses of a block read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from convcalc.formats.spec.records import (
    REQUIRED,
    Block,
    Document,
    Entry,
    Expression,
    Group,
    Layer,
    Required,
    Use,
)
from convcalc.formats.torch.source.bodies import Body, free_names, without_unused
from convcalc.formats.torch.source.copies import filled_slots, with_loops
from convcalc.formats.torch.source.heads import heads_of
from convcalc.formats.torch.source.helpers import HELPERS
from convcalc.formats.torch.source.layout import signature, statement
from convcalc.formats.torch.source.links import Program, Scope
from convcalc.formats.torch.source.made import Made, NotAChain, Value
from convcalc.formats.torch.source.scopes import with_defaults
from convcalc.formats.torch.source.site import Call, InexpressibleError, source_of
from convcalc.formats.torch.source.sizes import Sizes
from convcalc.formats.torch.source.symbols import (
    TAKEN,
    class_name,
    identifier,
    names_in,
    replaced,
    source,
    unique,
)
from convcalc.graph import Graph
from convcalc.shapes import Shape


@dataclass(slots=True)
class Argument:
    """An argument of a class. default: its source, or "" if it is required."""

    name: str
    default: str = ""


@dataclass(slots=True)
class BlockClass:
    """The class of a block.

    arguments: of its constructor. dims: arguments that are sizes of what it reads, with the input (0, or 1 and up for
    references) and the dimension; symbols: those and the ones that only `sizes` has. params: the argument of each
    parameter; filled: what stands for one that is None. sizes: of its output, over the arguments and symbols.
    """

    name: str
    block: Block
    arguments: list[Argument] = field(default_factory=list)
    dims: dict[str, tuple[int, int]] = field(default_factory=dict)
    symbols: dict[str, tuple[int, int]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    filled: dict[str, str] = field(default_factory=dict)
    sizes: Sizes = ()
    batched: bool = True


class Blocks(Program):
    """The classes of a Document's blocks, and what they share with all classes: names, and sources that are equal.

    name: the network's class; taken: names of classes that are taken.
    """

    def __init__(self, graph: Graph, document: Document, name: str) -> None:
        self.graph = graph
        self.document = with_defaults(document)
        self.heads = heads_of(graph)
        self.name = name
        self.helpers: set[str] = set()
        self.taken: set[str] = {name, "OrderedDict", *HELPERS}
        self.classes: list[list[str]] = []
        self.by_text: dict[str, str] = {}
        self.blocks: dict[str, BlockClass] = {}

    def class_lines(
        self, name: str, arguments: Sequence[Argument], body: Body, results: Mapping[str, int]
    ) -> list[str]:
        """The source of a class with a `forward`."""
        base = "nn.Sequential" if body.slots else "nn.Module"
        given = [f"{a.name}={a.default}" if a.default else a.name for a in arguments]
        return [
            f"class {name}({base}):",
            *signature("def __init__", ["self", *given], 1),
            *body.lines(2),
            "",
            *signature("def forward", ["self", *body.flow.arguments], 1),
            *body.flow.lines(results, 2, named=name == self.name),
        ]

    def named(self, text: str, lines: list[str], wanted: str) -> str:
        """The name of a class with this source, which is added unless there is one like it."""
        if text not in self.by_text:
            name = unique(wanted, self.taken)
            self.taken.add(name)
            self.by_text[text] = name
            self.classes.append([lines[0].replace("?", name, 1), *lines[1:]])
        return self.by_text[text]

    def block(self, block: Block) -> None:
        """Adds the class of a block."""
        made = self.blocks[block.name] = BlockClass("", block)
        shapes = self._input_shapes(block)
        params = {
            param: identifier(param, TAKEN | {"channels", "features"} | set(made.params.values()))
            for param in block.params
        }
        symbols: dict[str, tuple[int, int]] = {}
        sizes = self._input_sizes(shapes, "", 0, set(params.values()), symbols)
        names = self._names(block, params, sizes)
        arguments = {"x": Value(0, sizes)}
        refs: dict[str, Value] = {}
        for place, ref in enumerate(block.refs, 1):
            argument = identifier(ref, {*arguments, "self"})
            ref_sizes = self._input_sizes(
                self._ref_shapes(block, ref), f"{argument}_", place, set(params.values()), symbols
            )
            refs[ref] = arguments[argument] = Value(place, ref_sizes)
        scope = Scope(self, names, block.layers, block.naming)
        scope.nullable = {params[param] for param in self._nullable(block)}
        lines = self._chain_class(made, scope, sizes) if not block.refs and block.naming else None
        if lines is None:
            body = Body(scope, arguments, refs)
            last = body.sequence(block.layers, arguments["x"])
            assert last is not None
            made.sizes, made.batched = last.sizes, last.batched
            body.statements[:0] = scope.preamble()
            text = body.lines(2)
        else:
            lines = [*scope.preamble(), *lines]
            text, body, last = lines, None, None
        made.filled = dict(scope.filled)
        made.sizes = scope.without_locals(made.sizes)
        free = free_names(text)
        made.symbols = symbols
        made.dims = {symbol: place for symbol, place in symbols.items() if symbol in free}
        made.params = {param: argument for param, argument in params.items() if names.get(param) == argument}
        required = [Argument(symbol) for symbol in made.dims]
        optional = []
        for param, argument in made.params.items():
            default = block.params[param]
            if isinstance(default, (Required, Expression)) or default is REQUIRED:
                required.append(Argument(argument))
            else:
                optional.append(Argument(argument, source_of(default)))
        made.arguments = [*required, *optional]
        if body is None:
            given = [f"{a.name}={a.default}" if a.default else a.name for a in made.arguments]
            source_lines = ["class ?(nn.Sequential):", *signature("def __init__", ["self", *given], 1), *text]
        else:
            assert last is not None
            source_lines = self.class_lines("?", made.arguments, body, {"": last.place})
        made.name = self.named(
            "\n".join(source_lines), source_lines, class_name(block.class_name or block.name)
        )

    def _chain_class(self, made: BlockClass, scope: Scope, sizes: Sizes) -> list[str] | None:
        """The constructor of a block that is a Sequential; None if it is none."""
        try:
            links, made.sizes = scope.links(sizes)
        except NotAChain:
            return None
        if not any(link.condition for link in links):
            slots = filled_slots(links)
            return None if slots is None else statement("", Call("super().__init__", tuple(slots)), 2)
        if [link.segment for link in links] != [str(place) for place in range(len(links))]:
            return None
        lines: list[str] = []
        for condition, run in groupby(links, key=lambda link: link.condition):
            same = list(run)
            if condition:
                for link in same:
                    lines += [] if lines else ["        layers = []"]
                    lines.append(f"        if {condition}:")
                    lines += statement("", Call("layers.append", (link.call,)), 3)
                    lines += [f"        {line}" for line in link.after]
            elif lines and len(same) == 1:
                lines += statement("", Call("layers.append", (same[0].call,)), 2)
            else:
                modules = Call("", tuple(with_loops([link.call for link in same])), "[]")
                lines += statement("layers += " if lines else "layers = ", modules, 2)
        return [*without_unused(lines), "        super().__init__(*layers)"]

    def _names(self, block: Block, params: Mapping[str, str], sizes: Sizes) -> dict[str, str]:
        """The sources of a block's parameters: arguments, or of its input's channels where no use changes them."""
        changed = {
            name
            for entry in self.document.entries()
            if isinstance(entry, Use) and entry.block == block.name
            for name in (*entry.arguments, *entry.first)
        }
        names: dict[str, str] = {}
        for param, default in block.params.items():
            if isinstance(default, Expression) and param not in changed and sizes and sizes[0] is not None:
                names[param] = replaced(default.text, {**names, "channels": sizes[0]})
            else:
                names[param] = params[param]
        return names

    def _nullable(self, block: Block) -> set[str]:
        """The parameters that are null in some use of a block."""
        found = {param for param, default in block.params.items() if default is None}
        for entry in self.document.entries():
            if isinstance(entry, Use) and entry.block == block.name:
                given = (*entry.arguments.items(), *entry.first.items())
                found |= {param for param, value in given if value is None}
        return found & set(block.params)

    def _input_shapes(self, block: Block) -> list[Shape]:
        """The shapes of what the uses of a block read."""
        found: dict[int, int] = {}
        for entry in block.layers:
            if entry.origin:
                break
            for use, index in enumerate(entry.reads):
                if index is not None:
                    found.setdefault(use, index)
            if entry.condition is None and (not isinstance(entry, Layer) or entry.reads != (None,)):
                break
        return [self.graph.shape(index) for index in found.values()]

    def _ref_shapes(self, block: Block, ref: str) -> list[Shape]:
        """The shapes of what a block's reference stands for, as far as a layer of the block shows them."""
        stack: list[Entry] = list(block.layers)
        while stack:
            entry = stack.pop()
            if isinstance(entry, Layer):
                for place, path in enumerate(entry.origin):
                    if isinstance(path, Expression) and path.text == ref:
                        nodes = [self.graph.nodes[index] for index in entry.nodes if index is not None]
                        return [node.input_shapes[place] for node in nodes]
                for branch in entry.branches or ():
                    stack += branch.layers
            elif isinstance(entry, Group):
                stack += entry.layers
            elif isinstance(entry, Use) and entry.origin and entry.origin[0] == Expression(ref):
                return [self.graph.shape(index) for index in entry.reads if index is not None]
        return []

    def _input_sizes(
        self,
        shapes: Sequence[Shape],
        prefix: str,
        place: int,
        taken: set[str],
        symbols: dict[str, tuple[int, int]],
    ) -> Sizes:
        """The sizes of an input of a block: numbers where all uses agree, else names of arguments."""
        if not shapes:
            return ()
        rank = len(shapes[0])
        if any(len(shape) != rank for shape in shapes):
            return ()  # layers that need a size then say so
        sizes = []
        for dimension in range(rank):
            if len({shape[dimension] for shape in shapes}) == 1:
                sizes.append(str(shapes[0][dimension]))
                continue
            plain = (
                "channels" if dimension == 0 else "features" if dimension == rank - 1 else f"size{dimension}"
            )
            symbol = unique(f"{prefix}{plain}", taken | set(symbols))
            symbols[symbol] = (place, dimension)
            sizes.append(symbol)
        return tuple(sizes)

    def _ref_sizes(self, scope: Scope, refs: Sequence[str | Expression]) -> list[Sizes]:
        """The sizes of what the references of a use stand for."""
        if refs and scope.body is None:
            raise NotAChain
        return [scope.body.resolve(ref).sizes for ref in refs] if scope.body is not None else []

    def used(self, scope: Scope, entry: Use, sizes: Sizes) -> Made:
        """The module of a block's use."""
        made = self.blocks[entry.block]
        block = made.block
        names = scope.named(sizes)
        refs = [entry.arguments[ref].path for ref in block.refs]
        values: dict[str, str] = {}
        given: dict[str, str] = {}
        for param, default in block.params.items():
            value = entry.arguments.get(param, default)
            argument = made.params.get(param)
            own = {**values, **({"channels": sizes[0]} if sizes and sizes[0] is not None else {})}
            text = source(value, names if param in entry.arguments else own)
            values[param] = text
            if argument is not None:
                given[argument] = text
        inputs = [sizes, *self._ref_sizes(scope, refs)]
        for symbol, (number, dimension) in made.symbols.items():
            found = inputs[number][dimension] if dimension < len(inputs[number]) else None
            if found is not None:
                given[symbol] = found
            elif symbol in made.dims:
                raise InexpressibleError(
                    f"{entry.name or entry.block}: the size of what it reads is not known"
                )
        words: list[str] = []
        for place in made.arguments:
            text = given[place.name]
            if not place.default:
                words.append(text)
            elif text != place.default:
                words.append(f"{place.name}={text}")
        for filled_in, value in made.filled.items():
            text, instead = given[filled_in], replaced(value, given)
            if text == "None":
                given[filled_in] = instead
            elif text in scope.nullable and text not in scope.filled:
                given[filled_in] = f"{instead} if {text} is None else {text}"
        after = tuple(
            [
                None
                if size is None or names_in(size) & made.symbols.keys() - given.keys()
                else replaced(size, given)
                for size in made.sizes
            ]
        )
        return Made(Call(made.name, tuple(words)), after, tuple(refs), batched=made.batched)
