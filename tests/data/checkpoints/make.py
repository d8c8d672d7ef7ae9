"""How the checkpoints beside this page were made, with PyTorch and NumPy: python make.py FOLDER"""

import argparse
import collections
import datetime
import enum
import functools
import pathlib
import random
import sys

import numpy as np
import torch
from torch import nn

folder = pathlib.Path(sys.argv[1])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 2, 2, bias=False)
        self.d = nn.Linear(18, 2)

    def forward(self, x):
        return self.d(self.c(x).flatten(1))


def made(start):
    """Weights start, start + 1/8, …: no two alike."""
    net = Net()
    for parameter in net.parameters():
        count = parameter.numel()
        parameter.data = (start + torch.arange(count) / 8).reshape(parameter.shape)
        start += count
    return net


net, ema = made(0), made(1000)
optimizer = torch.optim.Adam(net.parameters())
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
weights = {key: value.clone() for key, value in net.state_dict().items()}
net(torch.ones(1, 1, 4, 4)).sum().backward()
optimizer.step()
scheduler.step()


class Phase(enum.Enum):
    TRAIN = 1


besides = {
    "epoch": 3,
    "args": argparse.Namespace(lr=0.1, data=pathlib.PurePosixPath("data"), device=torch.device("cpu")),
    "best_acc1": np.float64(0.931),
    "loss": torch.tensor(0.25),
    "history": np.arange(3.0),
    "rng": {"torch": torch.get_rng_state(), "numpy": np.random.get_state(), "python": random.getstate()},
    "when": datetime.datetime(2026, 1, 2),
    "size": torch.Size([1, 4, 4]),
    "dtype": torch.float16,
    "seen": {1, 2},
    "frozen": frozenset("ab"),
    "counts": collections.Counter("aab"),
    "recent": collections.deque([1, 2]),
    "by_class": collections.defaultdict(list, a=[1]),
    "phase": Phase.TRAIN,
    "partial": functools.partial(int, base=2),
    "sparse": torch.eye(2).to_sparse(),
    "quantised": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "bytes": b"\0\1",
    ("a", 1): 2,
}
whole = {
    **besides,
    "optimizer": optimizer.state_dict(),
    "lr_scheduler": scheduler.state_dict(),
    "model": weights,
    "model_ema": ema.state_dict(),
}
torch.save(whole, folder / "training.pth")
del whole["quantised"]  # which the older format can hold, but whose numbers' size is nowhere said
torch.save(whole, folder / "training-legacy.pth", _use_new_zipfile_serialization=False)
lightning = {
    "state_dict": {f"model.{key}": value for key, value in weights.items()},
    "hyper_parameters": {"lr": 0.1, "net": argparse.Namespace()},
    "callbacks": {("Early", 1): {"best": torch.tensor(0.5)}},
}
torch.save(lightning, folder / "lightning.pth")
torch.save(lightning, folder / "lightning-protocol-5.pth", pickle_protocol=5)
torch.save(nn.DataParallel(made(0)).state_dict(), folder / "parallel.pth")
torch.save(
    {"checkpoint": {"module": {f"_orig_mod.module.{key}": value for key, value in weights.items()}}},
    folder / "nested.pth",
)
torch.save(made(0), folder / "whole-model.pth")
