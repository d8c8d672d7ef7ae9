"""Specs as a person would write them come back as they are: what is written follows the same habits."""

from __future__ import annotations

import pytest

from convcalc.formats.spec.fold import fold, folded
from convcalc.formats.spec.records import REQUIRED, Expression, Use
from convcalc.language.load import load_text

RESIDUAL = """\
name: residual
input: [3, 64, 96]
defaults:
  conv: {bias: false}
blocks:
  bottleneck:
    params: {width: required, stride: 1}
    layers:
      - add:
          - - conv: {name: conv1, filters: $width, kernel: 1}
            - batchnorm: {name: bn1}
            - relu
            - conv: {name: conv2, filters: $width, kernel: 3, stride: $stride, padding: 1}
            - batchnorm: {name: bn2}
            - relu
            - conv: {name: conv3, filters: $(4 * width), kernel: 1}
            - batchnorm: {name: bn3}
          - - group:
                name: downsample
                if: $(stride != 1 or channels != 4 * width)
                naming: index
                layers:
                  - conv: {filters: $(4 * width), kernel: 1, stride: $stride}
                  - batchnorm
      - relu
layers:
  - conv: {filters: 8, kernel: 7, stride: 2, padding: 3}
  - bottleneck: {name: layer1, repeat: 3, width: 8}
  - bottleneck: {name: layer2, repeat: 4, width: 12, first: {stride: 2}}
  - bottleneck: {name: layer3, repeat: 2, width: 20, first: {stride: 2}}
  - global_avgpool
  - flatten
  - dense: 10
"""

GROWING = """\
name: growing
input: [3, 32, 48]
blocks:
  denselayer:
    layers:
      - concat:
          - []
          - - batchnorm: {name: norm1}
            - relu
            - conv: {name: conv1, filters: 12, kernel: 1}
  transition:
    layers:
      - batchnorm: {name: norm}
      - relu
      - conv: {name: conv, filters: $(channels // 2), kernel: 1}
      - avgpool: 2
layers:
  - conv: {filters: 24, kernel: 3, padding: 1}
  - denselayer: {name: denseblock1, repeat: 4, copies: denselayer$(i + 1)}
  - transition
  - denselayer: {name: denseblock2, repeat: 5, copies: denselayer$(i + 1)}
  - transition
  - denselayer: {name: denseblock3, repeat: 2, copies: denselayer$(i + 1)}
  - transition
"""

SQUEEZED = """\
name: squeezed
input: [3, 40, 56]
blocks:
  squeeze_excite:
    params: {width: required, entering: $channels}
    layers:
      - multiply:
          - []
          - - global_avgpool
            - conv: {name: fc1, filters: $width, kernel: 1}
            - relu
            - conv: {name: fc2, filters: $entering, kernel: 1}
            - sigmoid
layers:
  - conv: {filters: 16, kernel: 3}
  - squeeze_excite: {name: first, width: 4}
  - conv: {filters: 24, kernel: 3}
  - squeeze_excite: {name: second, width: 10}
  - conv: {filters: 40, kernel: 3}
  - squeeze_excite: {name: third, width: 12}
"""

DECODER = """\
name: decoder
input: [3, 64, 96]
blocks:
  level:
    params: [width]
    refs: [skip]
    layers:
      - deconv: {name: up, filters: $width, kernel: 2, stride: 2}
      - concat: {from: [$skip, up]}
      - conv: {name: merge, filters: $width, kernel: 3, padding: 1}
      - relu
layers:
  - conv: {name: one, filters: 8, kernel: 3, padding: 1}
  - maxpool: 2
  - conv: {name: two, filters: 12, kernel: 3, padding: 1}
  - maxpool: 2
  - conv: {name: three, filters: 20, kernel: 3, padding: 1}
  - maxpool: 2
  - conv: {name: bottom, filters: 32, kernel: 3, padding: 1}
  - level: {name: level3, width: 20, skip: three}
  - level: {name: level2, width: 12, skip: two}
  - level: {name: level1, width: 8, skip: one}
"""

GAPS = """\
name: gaps
input: [2, 9, 11]
outputs: {scores: classifier.1, early: features.0}
layers:
  - group:
      name: features
      naming: index
      layers:
        - conv: {filters: 4, kernel: 3}
        - relu
        - conv: {name: 3, filters: 5, kernel: 3, keys: ^body.conv}
        - relu
        - unknown: {name: 7, op: Einsum, shape: [5, 5, 7]}
  - parameter: {name: token, shape: [5, 5, 7]}
  - add: {from: [features, token]}
  - flatten
  - group: {name: classifier, naming: index, layers: [{dense: {name: 1, units: 3}}]}
"""


@pytest.mark.parametrize("text", [RESIDUAL, GROWING, SQUEEZED, DECODER, GAPS])
def test_specs_come_back_as_they_were_written(text: str) -> None:
    assert folded(load_text(text))[1] == text


def test_shared_branches_share_as_a_whole() -> None:
    text = (
        "name: twins\ninputs:\n  left: [1, 20, 30]\n  right: [1, 20, 30]\nblocks:\n  branch:\n    layers:\n"
        "      - conv: {filters: 4, kernel: 5}\n      - relu\n      - conv: {filters: 6, kernel: 3}\n      - relu\n"
        "      - flatten\n      - dense: 7\nlayers:\n  - branch: {name: left_branch, from: left}\n"
        "  - branch: {name: right_branch, from: right, share: left_branch}\n"
        "  - subtract: {from: [left_branch, right_branch]}\n"
    )
    assert folded(load_text(text))[1] == text


def test_records_tell_instances_and_what_they_read() -> None:
    document = fold(load_text(RESIDUAL))
    block = document.blocks["bottleneck"]
    assert block.params == {"width": REQUIRED, "stride": 1}
    uses = [entry for entry in document.layers if isinstance(entry, Use)]
    assert [(use.repeat, use.arguments, use.first) for use in uses] == [
        (3, {"width": 8}, {}), (4, {"width": 12}, {"stride": 2}), (2, {"width": 20}, {"stride": 2}),
    ]  # fmt: skip
    join = block.layers[0]
    assert len(join.reads) == len(join.nodes) == 9  # 3 + 4 + 2 uses
    projection = join.branches[1].layers[0]
    assert projection.condition == Expression("stride != 1 or channels != 4 * width")
    assert [read is not None for read in projection.reads] == [
        True, False, False, True, False, False, False, True, False,
    ]  # fmt: skip
