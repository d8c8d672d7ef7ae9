"""Other people's cases for the operators we have: ONNX's node tests and PyTorch's module samples. Not a test.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -e ".[fast]" onnx==1.23.2 torch==2.14.1 expecttest
    /tmp/peers/bin/python tests/peers/cases.py                      # both; what is not installed is left out, and said
    /tmp/peers/bin/python tests/peers/cases.py --only onnx -v       # every case that is left out, with its reason
    … --save FILE, --load FILE                                      # cases collected in one environment, run in another

A case is one node of `onnx.backend.test`, or one sample of `torch.testing._internal.common_modules.module_db`, of an
operator that we have. Its batch is run one after another, on the reference backend and, where Numba is installed, as a
network of one layer on the fast one. Outputs may differ by 1e-4 of the largest; what is infinite or no number has to
be so in both. The shape rule has to give the shape of the output. Exit 1 where something differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from importlib.util import find_spec
from math import inf, isfinite, isnan
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from records import Case, Left, Numbers  # noqa: E402

from convcalc import ops  # noqa: E402
from convcalc.errors import Misfit  # noqa: E402
from convcalc.graph import Graph, Input, Node, Output  # noqa: E402
from convcalc.ops import FieldError, Operator, Tensor  # noqa: E402
from convcalc.weights.load import Weights  # noqa: E402

RELATIVE, ABSOLUTE = 1e-4, 1e-6


# --- running ------------------------------------------------------------------------------------------------


def bound(case: Case, shapes: tuple[tuple[int, ...], ...]) -> Operator:
    """The operator. Raises Misfit or FieldError."""
    infos = ops.get(case.kind).fields()
    values = {name: infos[name].kind.check(value) for name, value in case.fields.items()}
    return ops.get(case.kind)(**values).bind(shapes)


def by_reference(op: Operator, case: Case, inputs: list[Numbers]) -> Numbers:
    """The operator's own forward."""
    result = op.forward(
        [Tensor(*given) for given in inputs], {name: values for name, (_, values) in case.weights.items()}
    )
    return result.shape, list(result.values)


def by_numba(op: Operator, case: Case, inputs: list[Numbers]) -> Numbers:
    """A network of that one layer on the fast backend."""
    from convcalc.backends import numba

    shapes = tuple(shape for shape, _ in inputs)
    sources = tuple(-1 - place for place in range(len(inputs)))
    node = Node(0, "layer", op, sources, shapes, op.output_shape(shapes))
    given = tuple(Input(f"x{place}", shape) for place, shape in enumerate(shapes))
    graph = Graph("case", given, (node,), (Output("layer", 0),))
    weights = Weights(({name: values for name, (_, values) in case.weights.items()},), "random")
    values = {entry.name: numbers for entry, (_, numbers) in zip(given, inputs, strict=True)}
    (result,) = numba.run(graph, weights, values).outputs.values()
    return result.shape, list(result.values)


def difference(ours: Numbers, theirs: Numbers) -> str:
    """What differs; "" where nothing does."""
    if ours[0] != theirs[0]:
        return f"shape {list(ours[0])}, theirs {list(theirs[0])}"
    largest = max((abs(value) for value in theirs[1] if isfinite(value)), default=0.0)
    worst = 0.0
    for a, b in zip(ours[1], theirs[1], strict=True):
        same = (isnan(a) and isnan(b)) or a == b
        worst = max(worst, 0.0 if same else abs(a - b) if isfinite(a) and isfinite(b) else inf)
    return (
        "" if worst <= RELATIVE * largest + ABSOLUTE else f"off by {worst:.3g}, the largest is {largest:.3g}"
    )


def trouble(case: Case, backends: dict[str, Any]) -> tuple[str, bool]:
    """What is wrong with a case; and whether our operator refuses it."""
    try:
        for inputs, wanted in case.samples:
            shapes = tuple(shape for shape, _ in inputs)
            op = bound(case, shapes)
            needed = {parameter.name: parameter.shape for parameter in op.parameters(shapes)}
            if {name: shape for name, (shape, _) in case.weights.items()} != needed:
                return f"weights {needed}", False
            if op.output_shape(shapes) != wanted[0]:
                return f"shape rule {op.output_shape(shapes)}, theirs {wanted[0]}", False
            for name, backend in backends.items():
                if text := difference(backend(op, case, inputs), wanted):
                    return f"{name}: {text}", False
    except (Misfit, FieldError) as refusal:
        return str(getattr(refusal, "message", refusal)), True
    return "", False


def report(what: str, cases: list[Case | Left], backends: dict[str, Any], verbose: bool) -> int:
    """Print what a source's cases gave; how many differ."""
    same: Counter[str] = Counter()
    lines: dict[str, list[str]] = {"differs": [], "refused": [], "left out": []}
    for case in cases:
        if isinstance(case, Left):
            lines["left out"].append(f"{case.name} ({case.kind}): {case.reason}")
            continue
        text, refused = trouble(case, backends)
        if not text:
            same[case.kind] += 1
            continue
        lines["refused" if refused else "differs"].append(f"{case.name} ({case.kind} {case.fields}): {text}")
    print(
        f"{what}: {same.total()} of {len(cases)} cases of our operators the same on {' and '.join(backends)}; "
        + ", ".join(f"{len(found)} {verdict}" for verdict, found in lines.items())
    )
    print("  " + ", ".join(f"{kind} {count}" for kind, count in sorted(same.items())))
    for verdict, found in lines.items():
        if verdict == "left out" and not verbose:
            reasons = Counter(line.rpartition(": ")[2] for line in found)
            for reason, count in reasons.most_common():
                print(f"  left out {count}: {reason}")
            continue
        for line in found:
            print(f"  {verdict}: {line}")
    return len(lines["differs"])


# --- collecting ---------------------------------------------------------------------------------------------


def collected(only: str | None) -> dict[str, list[Case | Left]]:
    """The cases by where they come from; what cannot be collected is said."""
    found: dict[str, list[Case | Left]] = {}
    for what, needed in (("onnx", "onnx_nodes"), ("torch", "torch_modules")):
        if only not in (None, what):
            continue
        try:
            module = __import__(needed)
        except ImportError as missing:
            print(f"{what}: left out, {missing}")
            continue
        found[what] = module.cases()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--only", choices=("onnx", "torch"))
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the cases, run nothing")
    parser.add_argument("--load", type=Path, metavar="FILE", help="run cases that --save wrote")
    parser.add_argument("-v", "--verbose", action="store_true", help="name each case that is left out")
    options = parser.parse_args()
    if options.load:
        content = json.loads(options.load.read_text())
        cases = {what: [revived(record) for record in records] for what, records in content.items()}
    else:
        cases = collected(options.only)
    if options.save:
        options.save.write_text(
            json.dumps({what: [vars(case) for case in found] for what, found in cases.items()})
        )
        return
    backends = {"the reference backend": by_reference}
    if find_spec("numba") is None:
        print("the fast backend: left out, numba is not installed")
    else:
        backends["the fast one"] = by_numba
    differing = sum(report(what, found, backends, options.verbose) for what, found in cases.items())
    sys.exit(differing > 0 or not cases)


def revived(record: dict[str, Any]) -> Case | Left:
    """A case as --save wrote it."""
    if "reason" in record:
        return Left(**record)

    def tensor(pair: Any) -> Numbers:
        return tuple(pair[0]), pair[1]

    samples = [(list(map(tensor, inputs)), tensor(output)) for inputs, output in record["samples"]]
    weights = {name: tensor(pair) for name, pair in record["weights"].items()}
    return Case(record["name"], record["kind"], record["fields"], samples, weights)


if __name__ == "__main__":
    main()
