"""`convcalc list`."""

from __future__ import annotations

import json
import re

from convcalc.language import bundled


def test_json_contract(convcalc) -> None:
    value = json.loads(convcalc("list", "--format", "json").stdout)
    assert sorted(entry["name"] for entry in value) == bundled.members()
    assert all(set(entry) >= {"name", "title", "source", "input", "params", "macs"} for entry in value)


def test_families_are_left_out(convcalc) -> None:
    names = convcalc("list").stdout
    assert "resnet50" in names
    assert "\n resnet " not in names


def names(convcalc, *arguments: str) -> list[str]:
    return [entry["name"] for entry in json.loads(convcalc("list", *arguments, "--format", "json").stdout)]


def test_sorting_and_limits(convcalc) -> None:
    # published: squeezenet1_1 1,235,496 and squeezenet1_0 1,248,424 params; 0.349 and 0.819 billion MACs
    assert names(convcalc, "squeezenet", "--sort", "params") == [
        "torchvision/squeezenet1_1",
        "torchvision/squeezenet1_0",
    ]
    assert names(convcalc, "squeezenet", "--max-macs", "0.5G") == ["torchvision/squeezenet1_1"]
    assert names(convcalc, "torchvision/vgg*", "--sort", "params", "--reverse")[0] == "torchvision/vgg19_bn"
    small = names(convcalc, "--max-params", "1.3M")
    assert "torchvision/squeezenet1_0" in small
    assert "torchvision/shufflenet_v2_x0_5" not in small  # 1,366,792


def test_the_lecture_s_networks_come_first(convcalc) -> None:
    """In the order in which the lecture comes to them, and by name when that is asked for."""
    found = names(convcalc)
    assert found[:5] == ["lenet5", "lenet5-paper", "alexnet", "alexnet-paper", "zfnet"]
    assert names(convcalc, "--sort", "name") == bundled.members()
    assert names(convcalc, "--sort", "name", "--reverse") == bundled.members()[::-1]


def test_groups_have_headings(convcalc) -> None:
    """A heading says how many networks stand under it; one group needs none, and neither does another order."""
    shown = convcalc("list").stdout.splitlines()
    headings = [line for line in shown if re.fullmatch(r"[a-z]+: \d+", line)]
    tasks = [line.partition(":")[0] for line in headings]
    assert tasks == [
        "lecture", "classification", "segmentation", "detection", "video", "generation", "superresolution",
        "audio", "matching",
    ]  # fmt: skip
    assert sum(int(line.partition(": ")[2]) for line in headings) == len(bundled.members())
    place = shown.index(headings[2])
    assert shown[place + 1].startswith("attention-unet ")
    markdown = convcalc("list", "yolov3*", "--format", "markdown").stdout
    assert "**" not in markdown
    markdown = convcalc("list", "*resnet50", "--format", "markdown").stdout
    assert "| **segmentation: 2** |" in markdown
    assert "rowgroup" in convcalc("list", "*resnet50", "--format", "html").stdout
    assert (
        r"\multicolumn{7}{l}{\textbf{segmentation: 2}}"
        in convcalc("list", "*resnet50", "--format", "latex").stdout
    )
    assert "segmentation" not in convcalc("list", "*resnet50", "--sort", "name").stdout


def test_tasks(convcalc) -> None:
    videos = ["torchvision/s3d", "torchvision/mc3_18", "torchvision/r2plus1d_18", "torchvision/r3d_18"]
    assert names(convcalc, "--task", "video") == videos
    assert names(convcalc, "r3d", "--task", "video") == ["torchvision/r3d_18"]
    wrong = convcalc("list", "resnet152", "--task", "video")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "none of these networks is for video" in wrong.stderr
    wrong = convcalc("list", "--task", "vido")
    assert wrong.returncode == 2
    assert "'vido' is not one of" in wrong.stderr


def test_families_stay_together_the_smallest_member_first(convcalc) -> None:
    found = names(convcalc, "torchvision/convnext*")
    assert found == [f"torchvision/convnext_{size}" for size in ("tiny", "small", "base", "large")]
    found = names(convcalc, "torchvision/swin*")
    assert found[:3] == ["torchvision/swin_t", "torchvision/swin_s", "torchvision/swin_b"]


def test_memory_is_explained_and_sorted_by(convcalc) -> None:
    """AlexNet's conv1 and its relu together: 2·96·55·55 values of 4 bytes; LeNet-5's two first maps of 6·28·28."""
    shown = convcalc("list", "*net*", "--sort", "memory").stdout
    assert "memory: the most activations alive at once, of one image as float32" in shown
    value = json.loads(convcalc("list", "--sort", "memory", "--format", "json").stdout)
    bytes_of = {entry["name"]: entry["peak_activation_bytes"] for entry in value}
    assert bytes_of["alexnet"] == 2 * 96 * 55 * 55 * 4
    assert bytes_of["lenet5"] == 2 * 6 * 28 * 28 * 4
    assert list(bytes_of.values()) == sorted(bytes_of.values())


def test_no_network_is_read_to_list_them() -> None:
    import subprocess
    import sys

    code = (
        "from convcalc.cli import main\nimport sys\nmain(['list'], standalone_mode=False)\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"yaml", "convcalc.language.load", "convcalc.analysis.analyse", "rich"} & set(
        done.stderr.split()
    )


def test_families(convcalc) -> None:
    assert names(convcalc, "--family", "vgg")[3:6] == ["vgg19", "torchvision/vgg11", "torchvision/vgg11_bn"]
    assert set(names(convcalc, "--family", "torchvision/densenet")) == {
        f"torchvision/densenet{depth}" for depth in (121, 161, 169, 201)
    }
    done = convcalc("list", "--family", "vvg")
    assert done.returncode == 2
    assert "did you mean 'vgg'?" in done.stderr


def test_nothing_that_small(convcalc) -> None:
    done = convcalc("list", "--max-params", "7")
    assert done.returncode == 2
    assert "no architecture is that small" in done.stderr
    for text in ("many", "0", "-5M", "5 MB", "4.1.1G"):
        assert "not a count" in convcalc("list", "--max-params", text).stderr, text


def test_limits_are_figures_as_elsewhere(convcalc) -> None:
    """AlexNet's published 61,100,840 params: one more than 61100839."""
    for text in ("61100840", "61,100,840", "61.10084M", "0.06110084 billion", "61100.84k"):
        assert "torchvision/alexnet" in names(convcalc, "torchvision/alexnet", "--max-params", text), text
    done = convcalc("list", "torchvision/alexnet", "--max-params", "61100839")
    assert done.returncode == 2


def test_patterns(convcalc) -> None:
    names = [entry["name"] for entry in json.loads(convcalc("list", "vgg1?", "--format", "json").stdout)]
    assert names == ["vgg11", "vgg13", "vgg16", "vgg19"]
    done = convcalc("list", "vvg")
    assert done.returncode == 2
    assert "no architecture matches 'vvg'" in done.stderr
