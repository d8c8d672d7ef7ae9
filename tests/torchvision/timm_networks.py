"""Compares bundled networks with timm's modules of the same keys. Not a test; needs PyTorch and timm.

    python3 -m venv /tmp/timm && /tmp/timm/bin/pip install torch==2.14.1 timm==1.0.31 safetensors -e ".[fast]"
    /tmp/timm/bin/python tests/torchvision/timm_networks.py                          # counts, keys and shapes
    /tmp/timm/bin/python tests/torchvision/timm_networks.py --backend numba          # outputs too
    /tmp/timm/bin/python tests/torchvision/timm_networks.py --backend reference mobilenet-v1
    /tmp/timm/bin/python tests/torchvision/timm_networks.py --dump tests/data/timm_networks.json.gz

modules.py tells what is compared. No weights are fetched.
"""

from __future__ import annotations

from functools import partial

import timm
from modules import Peer, main
from torch import nn


def deployed(name: str) -> nn.Module:
    """A model whose branches are merged into one convolution each."""
    return timm.utils.reparameterize_model(timm.create_model(name).eval())


def legacy_key(key: str) -> str:
    """Today's key for a key of the port of the authors' Caffe network."""
    for old, new in (("layer0.", ""), ("se_module", "se"), ("last_linear", "fc"), ("pool0", "maxpool")):
        key = key.replace(old, new)
    return key


PEERS = [
    Peer("mobilenet-v1", partial(timm.create_model, "mobilenetv1_100")),
    Peer("xception", partial(timm.create_model, "legacy_xception")),
    Peer("ghostnet", partial(timm.create_model, "ghostnet_100")),
    # the Caffe network's first pool begins at pixel 0 where the paper's family has it begin in the padding
    Peer("se-resnet50", partial(timm.create_model, "legacy_seresnet50"), rename=legacy_key, outputs=False),
    Peer("se-resnet50", partial(timm.create_model, "seresnet50"), {"late_stride": "true"}),
    Peer("repvgg-a0", partial(timm.create_model, "repvgg_a0")),
    Peer("repvgg-a0", partial(deployed, "repvgg_a0"), {"deploy": "true"}),
    Peer("hrnet-w18-small", partial(timm.create_model, "hrnet_w18_small")),
]

if __name__ == "__main__":
    main(PEERS, __doc__ or "")
