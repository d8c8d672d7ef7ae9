"""`convcalc apply` with every combination of inputs, weights and options: an answer or an error, never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from convcalc import ops
from convcalc.cli import main
from convcalc.layer.filters import FILTERS

ENTRIES = (
    "conv", "conv: {stride: 2}", "conv: {groups: 3}", "deconv", "deconv: {stride: 2}", "dense", "dense: 2",
    "maxpool: 2", "avgpool: {F: 2, P: 1}", "blur", "sobel-x,sobel-y", "pad: 1", "upsample: 2", "reshape: [-1]",
    "slice: {start: 1}", "layernorm: last", "softmax", "lrn", "add", "concat", "nothing", "", "{}", "[relu, relu]",
    "- relu", "a", "1 2",
)  # fmt: skip
INPUTS = (
    "1 2 3", "1 2; 3 4", "1 2 3 4; 5 6 7 8; 9 1 2 3", "1 2|3 4", "1 2; 3 4|5 6; 7 8|9 0; 1 2", "a b c", "a b; c d",
    "1", "-1 0; 0 1", "1/3 .5", "[[1, 2], [3, 4]]", "[1, a]", "1e99 1e99", "colour.png", "grey.png", "missing.png",
    "x.csv", "",
)  # fmt: skip
WEIGHTS = (
    "1",
    "a",
    "1 2",
    "a b; c d",
    "1 1 1; 1 1 1; 1 1 1",
    "1|2|3",
    "1/2 x",
    "[[1, 2]]",
    "1e99",
    "",
    "1 2; 3",
)
OPTIONS = (
    ("--bias", "1"), ("--bias", "a"), ("--bias", "1 b"), ("--mode", "centred"), ("--mode", "convolution"),
    ("--mode", "all"), ("-F", "2"), ("-S", "2"), ("-P", "same"), ("-P", "1+0"), ("--dilation", "2"),
    ("--rounding", "ceil"), ("--per-channel",), ("--steps", "--delay", "0"), ("--decimals", "2"), ("--tone", "stretch"),
    ("--tone", "magnitude"), ("-o", "out.png"), ("-o", "out.csv"), ("-o", "out.svg"),
    ("-o", "out.gif"), ("--format", "json"), ("--format", "csv"),
    ("--format", "latex"),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def pictures(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (5, 4), (250, 3, 90)).save(folder / "colour.png")
    Image.new("L", (4, 5), 7).save(folder / "grey.png")
    (folder / "x.csv").write_text("1,2\n3,4\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


commands = st.tuples(
    st.sampled_from([*ENTRIES, *ops.names(), *FILTERS]),
    st.sampled_from(INPUTS),
    st.lists(st.sampled_from(WEIGHTS), max_size=2),
    st.lists(st.sampled_from(OPTIONS), max_size=3, unique_by=lambda option: option[0]),
    st.booleans(),
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command=commands)
def test_every_combination_is_answered_or_refused(command) -> None:
    entry, source, weights, options, swapped = command
    arguments = [source, entry] if swapped else [entry, source]
    arguments += [word for weight in weights for word in ("--weights", weight)]
    arguments += [word for option in options for word in option]
    result = CliRunner().invoke(main, ["apply", *arguments])
    assert result.exit_code in (0, 1, 2), arguments
    assert result.exception is None or isinstance(result.exception, SystemExit), arguments
    assert "internal error" not in result.output, arguments
    assert result.exit_code == 0 or "Error: " in result.stderr, arguments
    assert Path("colour.png").exists()
