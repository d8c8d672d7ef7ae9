"""`convcalc show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from convcalc.analysis.analyse import DTYPES, Analysis, analyse
from convcalc.cli import Command, completion
from convcalc.cli.options import ARCH, Count, emit, format_option, load, network_options, set_values
from convcalc.errors import ShapeError, UsageError, did_you_mean
from convcalc.graph import Graph


@click.command(
    "show",
    cls=Command,
    extra_hint="--layer {} explains a layer, convcalc diff compares two networks",
    epilog="""\b
Examples:
  convcalc show alexnet
  convcalc show alexnet --explain
  convcalc show alexnet --explain --layer conv1
  convcalc show resnet152 --depth 1
  convcalc show vgg16 --input 3x448x448 --batch 32 --dtype float16
  convcalc show lenet5 --columns layer,output,dense,local,shared
  convcalc show resnet50 --depth 1 --columns layer,macs,memory,intensity
  convcalc show torchvision/resnet50 --reconcile 4.11G
  convcalc show alexnet --reconcile '61.1M params'
  convcalc show my-network.yaml --format json

Weights multiply, biases are added; params are both; shared weights count once. MACs are the
multiply-accumulates of convolutions and dense layers for one image, padded zeros included,
biases excluded; 1 MAC = 2 FLOPs. Sizes are channels first. `field` is the receptive field.""",
)
@click.argument("arch", type=ARCH)
@click.option("--explain", is_flag=True, help="Show the working of every figure.")
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.layers,
    help="Explain this layer, or the layers of this block, only; repeatable.",
)
@click.option("--all", "unfold", is_flag=True, help="A row for every layer, activations and all.")
@click.option(
    "--depth", type=Count(), metavar="N", help="Fold blocks deeper than N path segments, in tables."
)
@click.option(
    "--columns",
    "columns_text",
    metavar="NAMES",
    shell_complete=completion.columns,
    help="Other columns: layer, times, operator, kind, from, shares, input, output, weights, biases, params, "
    "buffers, macs, flops, field, per-output, dense, local, active, shared, activations, memory, intensity.",
)
@click.option(
    "--reconcile",
    "figure",
    metavar="FIGURE",
    help="Explain a figure met elsewhere: 4.11G, '61.1M params', '7.8 GFLOPs', '97.8 MB'.",
)
@click.option(
    "--batch",
    type=Count(),
    default=1,
    show_default=True,
    metavar="N",
    help="Images at a time, for memory.",
)
@click.option(
    "--dtype",
    type=click.Choice(list(DTYPES)),
    default="float32",
    show_default=True,
    help="Number type, for memory.",
)
@network_options
@format_option
def command(
    arch: str,
    explain: bool,
    layers: tuple[str, ...],
    unfold: bool,
    depth: int | None,
    columns_text: str | None,
    figure: str | None,
    batch: int,
    dtype: str,
    settings: tuple[str, ...],
    input_text: str | None,
    max_layers: int,
    form: str,
) -> None:
    """A network's layers: output sizes, weights, MACs, memory and receptive fields.

    ARCH is a bundled name (see `convcalc list`), the path of a spec, or - for standard input.
    """
    from convcalc.report.show import network_table
    from convcalc.report.show_explanation import within

    def show(graph: Graph, partial: bool = False) -> None:
        analysis = analyse(graph, batch=batch, dtype=dtype)
        if explain or layers:
            _explain(analysis, layers, form)
        elif columns_text is not None:
            _columns(analysis, columns_text, depth, unfold, form)
        else:
            emit(
                form,
                lambda: network_table(analysis, depth=depth, unfold=unfold, partial=partial),
                lambda: _value(analysis),
            )

    asked = [
        option
        for option, given in (
            ("--explain", explain or layers),
            ("--columns", columns_text is not None),
            ("--reconcile", figure is not None),
        )
        if given
    ]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} show different things", hint="give one of them")
    try:
        graph = load(arch, settings, input_text, max_layers)
    except ShapeError as error:
        partial = error.graph
        if (
            isinstance(partial, Graph)
            and partial.nodes
            and form == "table"
            and not (explain or layers or figure)
        ):
            show(partial, partial=True)
        raise
    for layer in layers:
        if not any(within(node.name, [layer]) for node in graph):
            names = {node.name: None for node in graph} | {node.scope: None for node in graph if node.scope}
            raise UsageError(
                f"{graph.name} has no layer '{layer}'{did_you_mean(layer, names)}", hint="--all lists them"
            )
    if figure is not None:
        _reconcile(graph, arch, settings, figure, form)
    else:
        show(graph)


def _reconcile(graph: Graph, arch: str, settings: tuple[str, ...], text: str, form: str) -> None:
    from convcalc.analysis.quantities import parse
    from convcalc.analysis.reconcile import reconcile
    from convcalc.report.reconcile import reconciliation_table, reconciliation_value

    result = reconcile(analyse(graph), parse(text), arch, set_values(settings))
    emit(form, lambda: reconciliation_table(result), lambda: reconciliation_value(result))


def _value(analysis: Analysis) -> dict[str, Any]:
    from convcalc.report.values import analysis_value

    return analysis_value(analysis)


def _columns(analysis: Analysis, text: str, depth: int | None, unfold: bool, form: str) -> None:
    from convcalc.report.show import columns_table, columns_value, parse_columns

    names = parse_columns(text)

    def value() -> object:
        return {**_value(analysis), "columns": columns_value(analysis, names)}

    emit(form, lambda: columns_table(analysis, names, depth=depth, unfold=unfold), value)


def _explain(analysis: Analysis, layers: Sequence[str], form: str) -> None:
    from convcalc.report.show_explanation import explanation_lines, explanation_table, explanations

    if form != "table":
        emit(
            form, lambda: explanation_table(analysis, only=layers), lambda: _explained_value(analysis, layers)
        )
        return
    from convcalc.render import terminal
    from convcalc.render.table import notes
    from convcalc.report.show import totals_lines

    terminal.print_lines(explanation_lines(list(explanations(analysis, only=layers)), terminal.width()))
    if not layers:
        terminal.print_notes(["", *totals_lines(analysis)], notes(analysis.graph.notes))


def _explained_value(analysis: Analysis, layers: Sequence[str]) -> dict[str, Any]:
    """The JSON of show, each layer with its working; only the layers asked for."""
    from convcalc.report.show_explanation import explanations, within

    worked = {item.node.name: item.lines for item in explanations(analysis, only=layers)}
    value = _value(analysis)
    value["layers"] = [record for record in value["layers"] if not layers or within(record["name"], layers)]
    for record in value["layers"]:
        record["working"] = [
            {"what": line.what, "text": line.text} for line in worked.get(record["name"], [])
        ]
    return value
