"""The table of all lints' findings in the bundled networks, for the manual; each was looked at, and has its reason."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from convcalc.analysis.analyse import analyse
from convcalc.analysis.lints import Finding, findings
from convcalc.api.choices import architectures
from convcalc.language.load import load_graph

STRIDED = (
    "1×1 convolutions of stride 2, as published: they read a quarter of the pixels (an eighth in three dimensions). "
    "ResNet-D (He et al. 2019) pools before them instead"
)
# Lint, networks by name or pattern, and why the finding stays. The first line that fits holds.
REASONS = [
    (
        "dropped_pixels",
        ["zfnet", "torchvision/squeezenet*"],
        "the published sizes, rounded down: the last row and column of an even map",
    ),
    (
        "dropped_pixels",
        [
            "resnet*", "se-resnet50", "wrn-28-10", "xception", "repvgg-a0", "torchvision/*resnet*",
            "torchvision/*resnext*", "torchvision/regnet*", "torchvision/mc3_18", "torchvision/r?d_18",
            "torchvision/r2plus1d_18",
        ],
        STRIDED,
    ),
    (
        "field_beyond_image",
        ["*"],
        "meant: deep layers see the whole image, and their fields' borders lie in the padding. The finding names the "
        "first such layer",
    ),
    (
        "narrow_groups",
        ["torchvision/resnext*"],
        "the cardinality of ResNeXt (Xie et al. 2017): groups of 4 in its first stage",
    ),
    ("narrow_groups", ["lenet5-paper"], "table 1 of LeCun et al. 1998: which maps C3 combines"),
    (
        "bias_before_normalisation",
        ["torchvision/vgg*_bn", "attention-unet", "hrnet-w18-small", "m5"],
        "as published: the weights' files and counts have these biases",
    ),
]  # fmt: skip


def found() -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """Each bundled network, families apart, with what the lints find in it."""
    for name in architectures():
        yield name, findings(analyse(load_graph(name)))


def findings_table() -> str:
    """The end of the manual's page: a row per lint and reason, with the networks and their numbers of findings.

    Raises LookupError for a finding without a reason, and for a reason without a finding.
    """
    rows: dict[int, list[str]] = {}
    for name, every in found():
        counts: dict[int, int] = {}
        for finding in every:
            row = next(
                (
                    number
                    for number, (lint, patterns, _) in enumerate(REASONS)
                    if lint == finding.lint and any(fnmatchcase(name, pattern) for pattern in patterns)
                ),
                None,
            )
            if row is None:
                raise LookupError(f"{name}: {finding.node.name}: {finding.lint}: {finding.message}")
            counts[row] = counts.get(row, 0) + 1
        for row, count in counts.items():
            rows.setdefault(row, []).append(f"{name} ({count})" if count > 1 else name)
    unused = [REASONS[row] for row in range(len(REASONS)) if row not in rows]
    if unused:
        raise LookupError(f"nothing is found of {unused}")
    lines = ["| lint | why it stays | networks, with the number of findings |", "| --- | --- | --- |"]
    for row, (lint, _, reason) in enumerate(REASONS):
        lines.append(f"| `{lint}` | {reason} | {', '.join(rows[row])} |")
    return "\n".join(lines) + "\n"
