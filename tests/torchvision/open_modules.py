"""Opens PyTorch modules by name, right and wrong ones, as a user would. Not a test of the suite; needs PyTorch.

    /tmp/torchvision/bin/python tests/torchvision/open_modules.py         # as from_torch.py says how to install it

Prints a line per case, and exits with 1 if one is not what is written here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import torch
    from torch import nn
except ImportError as missing:
    sys.exit(f"open_modules.py needs torch ({missing})")

import convcalc  # noqa: E402

FILE = """
import torch
from torch import nn

print("loading")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


class Wide(Net):
    def __init__(self, width):
        super().__init__()


class Broken(Net):
    def forward(self, x):
        return missing(x)


class Deciding(Net):
    def forward(self, x):
        return x if x.sum() > 0 else self.conv(x)


def failing():
    return 1 / 0


def number():
    return 3


def leaving():
    raise SystemExit(4)


small = Net()
value = 5
"""
SYNTAX = "import torch\n\ndef net(:\n    pass\n"
# Arguments, the exit code, and what is printed on stdout or stderr.
CASES = [
    (("show", "mynet.py:Net", "--input", "3x12x14"), 0, "314 params"),
    (("show", "mynet.py:small", "--input", "3x12x14"), 0, "314 params"),
    (("show", "mynet:Net", "--input", "3x12x14", "--format", "json"), 0, '"params": 314'),
    (("show", "torch.nn:Identity", "--input", "3x12x14"), 1, "Identity has no layers"),
    (("show", "mynet.py:Net"), 2, "does not tell the shape of its input"),
    (("show", "mynet.py:Net", "--input", "2x12x14"), 1, "expected input[N, 2, 12, 14] to have 3 channels"),
    (("show", "mynet.py:Net", "--input", "left=3x12x14"), 2, "the module has no input left"),
    (("show", "mynet.py:Ned", "--input", "3x12x14"), 1, "did you mean 'Net'"),
    (("show", "mynet.py:Wide", "--input", "3x12x14"), 1, "needs arguments: width"),
    (("show", "mynet.py:Broken", "--input", "3x12x14"), 1, "mynet.py:25:1: torch.export cannot trace Broken"),
    (("show", "mynet.py:Deciding", "--input", "3x12x14"), 1, "torch.export cannot trace Deciding"),
    (("show", "mynet.py:failing", "--input", "3x12x14"), 1, "mynet.py:34:1: failing() failed: ZeroDivisionError"),
    (("show", "mynet.py:number", "--input", "3x12x14"), 1, "number() gives an object of type int"),
    (("show", "mynet.py:leaving", "--input", "3x12x14"), 1, "it called exit(4)"),
    (("show", "mynet.py:value", "--input", "3x12x14"), 1, "is of type int"),
    (("show", "wrong.py:net", "--input", "3x12x14"), 1, "wrong.py:3"),
    (("show", "nowhere.py:Net", "--input", "3x12x14"), 1, "there is no such file"),
    (("show", "nowhere.models:Net", "--input", "3x12x14"), 1, "is no module that this Python can import"),
    (("forward", "mynet.py:Net", "cat.png", "--input", "3x12x14", "--seed", "3"), 0, "weights of the model"),
    (("diff", "mynet.py:Net", "mynet.py:Net", "--input", "3x12x14", "--values"), 0, "all 4 tensors are equal"),
    (("convert", "mynet.py:Net", "-o", "net.yaml", "--input", "3x12x14"), 0, "net.safetensors"),
]  # fmt: skip


def run(folder: Path) -> Iterator[tuple[str, bool]]:
    """Each case as a command of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "NO_COLOR": "1"}
    for arguments, code, text in CASES:
        done = subprocess.run(
            [sys.executable, "-m", "convcalc", *arguments],
            cwd=folder, capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        said = done.stdout + done.stderr
        good = done.returncode == code and text in said and "Traceback" not in said
        yield " ".join(arguments), good and "loading" not in done.stdout
        if not good:
            print(said)


def held() -> Iterator[tuple[str, bool]]:
    """Modules that Python holds."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.2))
    module.train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    net = convcalc.from_torch(module, (3, 9, 8))
    yield "a module in training mode is left as it was", module.training and not module[1].training
    yield (
        "its weights too",
        all(torch.equal(value, before[name]) for name, value in module.state_dict().items()),
    )
    yield "gradients are still wanted", all(value.requires_grad for value in module.parameters())
    yield "paths", [node.name for node in net.graph] == ["0", "1", "2"]
    with torch.no_grad():
        module[0].bias.fill_(0.5)
        module[0].weight.zero_()
    first = net.forward([[[0.0] * 8] * 9] * 3, backend="reference").run.values[0]
    module.eval()
    yield (
        "forward takes the weights of now",
        abs(first - module(torch.zeros(1, 3, 9, 8)).flatten()[0].item()) < 1e-6,
    )


def main() -> None:
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mynet.py").write_text(FILE)
        (folder / "wrong.py").write_text(SYNTAX)
        (folder / "cat.png").write_bytes((ROOT / "tests/data/chelsea.png").read_bytes())
        for case, good in (*held(), *run(folder)):
            print(f"{'ok  ' if good else 'FAIL'} {case}", flush=True)
            failed += not good
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
