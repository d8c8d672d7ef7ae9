"""Writes transformers.json: what torchvision's Vision Transformer, both Swin Transformers and MaxViT give when small.

Float64; weights and input are sines, so that the test makes the same ones. `python
tests/data/pytorch/make_transformers.py` needs torch and torchvision.
"""

import json
from math import prod
from pathlib import Path

import torch
from torchvision.models.maxvit import MaxVit
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformer, SwinTransformerBlockV2
from torchvision.models.vision_transformer import VisionTransformer


def sines(number, shape):
    """0.4·sin(1 + 1.7·number + 0.9·i), as tests/backends/test_transformers.py makes them too."""
    values = torch.arange(prod(shape), dtype=torch.float64)
    return (0.4 * torch.sin(1 + 1.7 * number + 0.9 * values)).reshape(shape)


def given(module, pixels):
    module = module.double().eval()
    state = module.state_dict()
    floats = [key for key, value in state.items() if value.is_floating_point()]
    floats = [key for key in floats if not key.endswith("relative_coords_table")]
    for number, key in enumerate(floats, 1):
        state[key] = sines(number, state[key].shape)
        if key.endswith("running_var"):
            state[key] = state[key] ** 2 + 0.1
    module.load_state_dict(state)
    with torch.inference_mode():
        output = module(sines(0, (1, 3, *pixels)) * 5)[0]
    return {
        "keys": {key: list(state[key].shape) for key in floats},
        "buffers": {
            key: value.flatten().tolist()
            for key, value in state.items()
            if key not in floats and not key.endswith("num_batches_tracked")
        },
        "input": [3, *pixels],
        "output": output.tolist(),
    }


vit = VisionTransformer(
    image_size=20, patch_size=5, num_layers=2, num_heads=3, hidden_dim=12, mlp_dim=48, num_classes=7
)
swin = SwinTransformer([4, 4], 6, [2, 2], [1, 2], [3, 3], num_classes=5)
swin_v2 = SwinTransformer(
    [4, 4],
    6,
    [2, 2],
    [1, 2],
    [3, 3],
    num_classes=5,
    block=SwinTransformerBlockV2,
    downsample_layer=PatchMergingV2,
)
maxvit = MaxVit((16, 16), 4, 2, [4, 6], [1, 1], 2, 0.0, num_classes=5)
content = {
    "vit": given(vit, (20, 20)),
    "swin": given(swin, (32, 32)),
    "swin, uneven": given(swin, (52, 36)),
    "swin_v2": given(swin_v2, (52, 36)),
    "maxvit": given(maxvit, (16, 16)),
}
Path(__file__).with_name("transformers.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")
