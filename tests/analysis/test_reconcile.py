"""Figures met elsewhere: their rounding, and the conventions, sizes and variants behind published ones."""

from __future__ import annotations

import csv
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.analysis.analyse import analyse
from convcalc.analysis.reconcile import reconcile
from convcalc.errors import UsageError
from convcalc.language.load import load_graph
from convcalc.language.quantities import figures_in, parse

COUNTERS = Path(__file__).parents[1] / "data" / "counters"


def explain(arch, text):
    return reconcile(analyse(load_graph(arch)), parse(text), arch)


@pytest.mark.parametrize(
    ("text", "unit", "low", "high"),
    [
        ("4.11G", "any", 4_105_000_000, 4_115_000_000),
        ("4.11 GFLOPs", "flops", 4_105_000_000, 4_115_000_000),
        ("61.1M params", "params", 61_050_000, 61_150_000),
        ("61M parameters", "params", 60_500_000, 61_500_000),
        ("61,100,840", "any", 61_100_839.5, 61_100_840.5),
        ("61100840 params", "params", 61_100_839.5, 61_100_840.5),
        ("61,000,000", "any", 60_500_000, 61_500_000),
        ("0.72 GMACs", "macs", 715_000_000, 725_000_000),
        ("4.1e9 MACs", "macs", 4_050_000_000, 4_150_000_000),
        ("25.6 million params", "params", 25_550_000, 25_650_000),
        ("4.1 billion mult-adds", "macs", 4_050_000_000, 4_150_000_000),
        ("97.8 MB", "bytes", 97_750_000, 97_850_000),
        ("1 MiB", "bytes", 2**19, 3 * 2**19),
    ],
)
def test_what_a_figure_stands_for(text, unit, low, high):
    figure = parse(text)
    assert (figure.unit, figure.low, figure.high) == (unit, Fraction(low), Fraction(high))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("60k", 55_000, 65_000), ("100M", 95_000_000, 105_000_000), ("6.0k", None, None), ("61M", None, None),
     ("61,100,840", None, None), ("60,000", None, None)],
)  # fmt: skip
def test_the_last_zero_of_a_round_figure_may_stand_for_any_digit(text, low, high):
    figure = parse(text).without_zero()
    assert (figure and (figure.low, figure.high)) == (low and (low, high))


@pytest.mark.parametrize(
    "text", ["", "G", "about forty", "-4G", "0", "4.1.1G", "4 bananas", "9" * 300, "4 G G"]
)
def test_what_is_no_figure(text):
    with pytest.raises(UsageError):
        parse(text)


@given(st.integers(10**9, 10**15), st.integers(0, 3))
def test_a_rounded_number_may_be_itself(number, digits):
    """Written in billions with so many digits, rounded by integer arithmetic."""
    unit = 10 ** (9 - digits)
    rounded = (number + unit // 2) // unit
    text = f"{rounded // 10**digits}.{rounded % 10**digits:0{digits}d}G" if digits else f"{rounded}G"
    assert parse(text).matches(number)
    assert not parse(text).matches(number + 2 * unit)


@given(st.text(max_size=20))
def test_no_text_is_a_traceback(text):
    with suppress(UsageError):
        parse(text)


def published(name):
    with (COUNTERS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))


# thop's table has these for another version of the networks
OLD = {"mnasnet0_5", "mnasnet1_3"}


@pytest.mark.parametrize(("name", "figure"), published("thop"))
def test_thop_counts_so(name, figure):
    """Dense layers twice, biases, 4 per normalised element: to the last printed digit."""
    result = explain(f"torchvision/{name}", f"{figure}G MACs")
    tools = {way.tool for way in result.found} | {"own" for way in result.found if not way.departures}
    assert result.found
    assert name in OLD or tools & {"thop", "own"}


@pytest.mark.parametrize(("name", "figure"), published("ptflops"))
def test_ptflops_counts_so(name, figure):
    """Biases, activations, what pools read, 2 per normalised element; inception_v3 at 224×224."""
    result = explain(f"torchvision/{name}", f"{figure}G MACs")
    tools = {way.tool for way in result.found}
    assert "ptflops" in tools
    if name == "inception_v3":
        assert all(way.changes == "input 3×224×224" for way in result.found)


def test_resnet50_term_by_term():
    """4.111 514 624 G: 2 per normalised element, and 49 + 1 for each of 2,048 means (thop before 2019)."""
    result = explain("torchvision/resnet50", "4111514624")
    assert [way.total for way in result.found] == [4_111_514_624]
    assert [(term.number, term.each) for term in result.found[0].terms] == [
        (4_087_136_256, 1),
        (2_048_000, 1),
        (11_113_984, 2),
        (50 * 2048, 1),
    ]


@pytest.mark.parametrize(
    ("arch", "figure", "network", "changes", "total"),
    [
        ("alexnet", "61.1M params", "torchvision/alexnet", "", 61_100_840),
        ("alexnet", "60,965,224", "alexnet-paper", "", 60_965_224),
        ("torchvision/googlenet", "13,004,888", "torchvision/googlenet", "--set auxiliary=true", 13_004_888),
        (
            "torchvision/inception_v3",
            "27161264",
            "torchvision/inception_v3",
            "--set auxiliary=true",
            27_161_264,
        ),
        ("alexnet", "28,823,912 params", "alexnet", "", 28_823_912),
        ("alexnet", "28,813,344 params", "alexnet", "", 28_813_344),
        ("vgg16", "14,710,464 weights", "vgg16", "", 14_710_464),
        ("resnet50", "4.09G MACs", "torchvision/resnet50", "", 4_089_184_256),
        ("torchvision/resnet50", "8.18 GFLOPs", "torchvision/resnet50", "", 2 * 4_089_184_256),
        ("torchvision/alexnet", "244.4 MB", "torchvision/alexnet", "", 4 * 61_100_840),
        ("torchvision/alexnet", "233 MB", "torchvision/alexnet", "", 4 * 61_100_840),
    ],
)
def test_published_figures(arch, figure, network, changes, total):
    best = explain(arch, figure).found[0]
    assert (best.network, best.changes, best.total) == (network, changes, total)


@pytest.mark.parametrize("text", ["27.55M params", "27.55M"])
def test_the_lectures_alexnet_total_is_a_sum_of_cut_off_terms(text):
    """No total rounds to 27.55M or is cut off to it. The lecture adds 34K, 0.6M, 0.8M, 1.327M, 0.8M, 4M, 16M and 4M,
    each cut off; the weights cut off to whole K and M, 34K, 614K, 884K, 1M, 884K, 4M, 16M, 4M, would give 27.416M."""
    result = explain("alexnet", text)
    best = result.found[0]
    assert (best.network, best.total, best.match) == ("alexnet", 28_813_344, "terms cut")
    assert "weights" in best.convention
    assert best.left_over == 27_550_000 - 28_813_344
    assert result.nearest is None
    assert [note.text for note in result.notes] == [load_graph("alexnet").notes[0]]
    assert not explain("alexnet", text.replace("27.55", "27.41")).found
    assert not explain("alexnet", text.replace("27.55", "28.95")).found


@pytest.mark.parametrize(
    ("arch", "figure", "network", "tool", "label", "words", "total"),
    [
        ("resnet50", "25636712 params", "resnet50", "Keras", "Total params", "with biases before normalisation",
         25_557_032 + 26_560 + 53_120),
        ("resnet50", "25583592 params", "resnet50", "Keras", "Trainable params", "with biases before normalisation",
         25_557_032 + 26_560),
        ("torchvision/inception_v3", "23851784 params", "torchvision/inception_v3", "Keras", "Total params",
         "normalisation without scales", 23_834_568 + 34_432 - 17_216),
        ("alexnet-paper", "62378344 params", "alexnet-paper", "", "", "params, groups ignored", 62_378_344),
        ("torchvision/mobilenet_v2", "300809384", "torchvision/mobilenet_v2", "torchinfo", "Total mult-adds", "",
         300_775_272 + 34_112),
        ("torchvision/alexnet", "716441128", "torchvision/alexnet", "ptflops", "Computational complexity", "",
         714_188_480 + 484_992 + 9_192 + 2 * (493_184 + 376_832 + 9_216)),
        ("torchvision/resnet50", "4132436968", "torchvision/resnet50", "ptflops", "Computational complexity", "",
         4_089_184_256 + 1_000 + 2 * 11_113_984 + 2 * (9_608_704 + 802_816 + 100_352)),
        ("torchvision/resnet50", "4.13G", "torchvision/resnet50", "ptflops", "Computational complexity", "",
         4_132_436_968),
        ("torchvision/vgg16", "15.52G", "torchvision/vgg16", "ptflops", "Computational complexity", "",
         15_523_225_576),
        ("vgg16", "60.95 MB", "vgg16", "", "", "activations in place", 4 * (15_087_080 + 3 * 224 * 224)),
        ("torchvision/vgg16", "218.78 MB", "torchvision/vgg16", "torchsummary", "Forward/backward pass size (MB)", "",
         8 * 28_676_072),
        ("torchvision/vgg16", "108.45 MB", "torchvision/vgg16", "torchinfo", "Forward/backward pass size (MB)", "",
         8 * (13_547_520 + 9_192)),
    ],
)  # fmt: skip
def test_figures_of_other_tools_are_explained_by_them_first(arch, figure, network, tool, label, words, total):
    best = explain(arch, figure).found[0]
    assert (best.network, best.tool, best.label, best.total) == (network, tool, label, total)
    assert words in best.convention
    assert best.match == "total"


@pytest.mark.parametrize(
    ("arch", "figure", "network", "total", "match"),
    [
        ("alexnet", "60M", "alexnet-paper", 60_965_224, "cut"),
        ("lenet5", "60k", "lenet5-paper", 60_000, "total"),
        ("torchvision/resnet50", "3.8G", "resnet50", 3_857_973_248, "cut"),
        ("torchvision/vgg16", "15.4 GMACs", "torchvision/vgg16", 15_470_264_320, "cut"),
        ("torchvision/vgg16", "15.5 GMACs", "torchvision/vgg16", 15_470_264_320, "total"),
    ],
)
def test_figures_with_digits_cut_off(arch, figure, network, total, match):
    """60M and 3.8G are what the papers of AlexNet and ResNet print; LeNet-5's prints 60,000."""
    best = explain(arch, figure).found[0]
    assert (best.network, best.total, best.match) == (network, total, match)


@pytest.mark.parametrize(
    ("arch", "figure", "network", "changes", "words", "total"),
    [
        # Caffe's AlexNet without its groups: 96·3·11², 256·96·5², 384·256·3², 384·384·3², 256·384·3²
        ("alexnet", "62M", "alexnet-paper", "", "params, groups ignored", 62_378_344),
        # 363·96·55² + 2400·256·27² + 2304·384·13² + 3456·384·13² + 3456·256·13² + 58,621,952
        ("alexnet", "1.1G", "alexnet-paper", "", "MACs, groups ignored", 1_135_256_096),
        # He et al. 2015 print 15.3 and 19.6 billion FLOPs for VGG-16 and VGG-19, the first without dense layers
        ("vgg16", "15.3 GFLOPs", "vgg16", "", "dense layers left out", 15_346_630_656),
        (
            "torchvision/efficientnet_b0",
            "5.33M params",
            "torchvision/efficientnet_b0",
            "",
            "Keras",
            5_330_571,
        ),
        ("torchvision/resnet50", "98 MB", "torchvision/resnet50", "", "running statistics", 4 * 25_610_152),
        (
            "torchvision/inception_v3",
            "2.85 GMACs",
            "torchvision/inception_v3",
            "input 3×224×224",
            "ptflops",
            0,
        ),
    ],
)
def test_likely_explanations_come_first(arch, figure, network, changes, words, total):
    best = explain(arch, figure).found[0]
    assert (best.network, best.changes) == (network, changes)
    assert words in best.convention
    assert total in (0, best.total)


@pytest.mark.parametrize(
    ("arch", "figure"), [("vgg16", "96 MB"), ("torchvision/densenet121", "33 MB"), ("googlenet", "49M")]
)
def test_two_digits_are_not_explained_by_another_input_size(arch, figure):
    assert not explain(arch, figure).found


def test_a_figure_that_nothing_gives_still_has_its_note():
    """7·7·1024·1000 weights: `--set head=dense`; the lecture prints 49M."""
    (note,) = explain("googlenet", "49M").notes
    assert "49M weights for a dense layer" in note.text


def test_a_rounded_figure_comes_before_one_cut_off():
    """15.4G cuts off the MACs of VGG-16, 15.47G; at 15.5G they are rounded, and nothing is said to be cut off."""
    assert explain("torchvision/vgg16", "15.4G MACs").found[0].cut
    assert not any(found.cut for found in explain("torchvision/vgg16", "15.5G MACs").found)


def test_tools_that_print_the_same_are_one_explanation():
    (best, *others) = explain("torchvision/vgg16", "138,357,544 params").found
    assert (best.tool, best.convention) == ("", "params")
    assert set(best.also) == {
        "torchinfo", "thop", "ptflops", "fvcore", "calflops", "DeepSpeed", "torchsummary", "Keras",
    }  # fmt: skip
    assert all(other.total != best.total for other in others)


def test_a_networks_note_that_has_the_figure_is_told():
    """LeNet-5's note says that the paper's network has 60,000 trainable parameters, and so does that network's own."""
    notes = explain("lenet5", "60k").notes
    assert [note.network for note in notes] == ["lenet5", "lenet5-paper"]
    assert all("60,000 trainable parameters" in note.text for note in notes)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("a total of 27.55M, exactly 28,813,344.", [27_550_000, 28_813_344]),
        ("3×3 kernels, 7·7·1024·1000 = 50,176,000; 1e-5", [3, 3, 7, 7, 1024, 1000, 50_176_000, 5]),
        ("conv2 and K96 of v1.5", []),
    ],
)
def test_numbers_in_a_note(text, numbers):
    assert list(figures_in(text)) == numbers


def test_digits_cut_off():
    """The lecture's 122M for the dense layers of VGG-16 is 123,633,664 of 138,344,128 weights; 138.3M cuts it."""
    result = explain("vgg16", "138.34M weights")
    assert result.found[0].total == 138_344_128
    cut = explain("lenet5", "61.4K weights")
    assert (cut.found[0].total, cut.found[0].cut) == (61_470, True)


def test_terms_sum_to_the_total():
    for way in explain("torchvision/resnet50", "4.1G").found:
        assert way.total == sum(term.number * term.each for term in way.terms)


def test_a_spec_from_standard_input_and_a_network_without_anything(tmp_path):
    path = tmp_path / "none.yaml"
    path.write_text("name: none\ninput: [3, 8, 8]\nlayers: [relu]\n", encoding="utf-8")
    result = explain(str(path), "4G")
    assert not result.found
