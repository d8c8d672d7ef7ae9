"""torchvision's models as architectures/torchvision/* has them; the other scripts here share this. Needs PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torchvision import models
from torchvision.models.detection.backbone_utils import BackboneWithFPN, _resnet_fpn_extractor
from torchvision.models.detection.fcos import FCOSHead
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.models.regnet import BlockParams
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

TRANSFORMERS = ("swin_", "vit_", "maxvit_")
SEGMENTING = ("deeplabv3_", "fcn_", "lraspp_")
VIDEO = ("r3d_18", "mc3_18", "r2plus1d_18", "s3d")
DETECTION = ("retinanet_resnet50_fpn", "fcos_resnet50_fpn", "resnet50_fpn")
WITH_AUXILIARY = ("deeplabv3_", "fcn_")  # compared with it, as the published counts have it
LEVELS = 5  # maps of the two detectors


class RawHeads(nn.Module):
    """A detector up to the maps of its head: by name and level, as our outputs are called."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self.is_fcos = isinstance(head, FCOSHead)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Each output as the convolution gives it; the boxes of FCOS behind a ReLU, as its own code has them."""
        calls: dict[str, list[torch.Tensor]] = {"scores": [], "boxes": []}
        last = {
            "scores": self.head.classification_head.cls_logits,
            "boxes": self.head.regression_head.bbox_reg,
        }
        if self.is_fcos:
            calls["centres"] = []
            last["centres"] = self.head.regression_head.bbox_ctrness
        handles = [
            module.register_forward_hook(lambda _, __, output, name=name: calls[name].append(output.clone()))
            for name, module in last.items()
        ]
        self.head(list(self.backbone(x).values()))
        for handle in handles:
            handle.remove()
        if self.is_fcos:
            calls["boxes"] = [nn.functional.relu(output) for output in calls["boxes"]]
        return {
            f"{name}{level + 3}": outputs[level] for level in range(LEVELS) for name, outputs in calls.items()
        }


def settings(name: str) -> dict[str, str]:
    """How the spec is loaded."""
    return {"auxiliary": "true"} if name.startswith(WITH_AUXILIARY) else {}


def weights_of(name: str) -> Any:
    """The published weights whose figures the spec has; of resnet50_fpn those of Keypoint R-CNN."""
    published = models.get_model_weights("keypointrcnn_resnet50_fpn" if name == "resnet50_fpn" else name)
    if name.startswith(TRANSFORMERS) and hasattr(published, "IMAGENET1K_V1"):
        return published.IMAGENET1K_V1
    return published.DEFAULT


def make(name: str, auxiliary: bool = False) -> nn.Module:
    """A model with random weights, for inference. auxiliary: with the heads of training where they are optional."""
    options: dict[str, Any] = {"weights": None}
    if name in DETECTION:
        return detector(name).eval()
    if name in ("googlenet", "inception_v3"):
        options |= {"init_weights": False, "aux_logits": auxiliary}
    if name.startswith(SEGMENTING):
        options |= {"weights_backbone": None}
    if name.startswith(WITH_AUXILIARY):
        options |= {"aux_loss": True}
    if name == "vit_h_14":  # its published weights are not for 224
        options |= {"image_size": 518}
    model: nn.Module = models.get_model(name, **options)
    return model.eval()


def detector(name: str) -> nn.Module:
    """With frozen normalisation, as the published weights are loaded; ε is 0 but for FCOS."""
    body = models.resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    backbone: BackboneWithFPN
    if name == "resnet50_fpn":
        backbone = _resnet_fpn_extractor(body, 5)
    else:
        backbone = _resnet_fpn_extractor(
            body, 5, returned_layers=[2, 3, 4], extra_blocks=LastLevelP6P7(256, 256)
        )
    for module in backbone.modules():
        if isinstance(module, FrozenBatchNorm2d) and name != "fcos_resnet50_fpn":
            module.eps = 0.0
    if name == "resnet50_fpn":
        return backbone
    return RawHeads(
        backbone, FCOSHead(256, 1, 91) if name == "fcos_resnet50_fpn" else RetinaNetHead(256, 9, 91)
    )


def build(name: str, auxiliary: bool = False) -> nn.Module:
    """A model on the meta device, which holds no weights."""
    rule = BlockParams.from_init_params.__func__
    if not getattr(rule, "on_cpu", False):  # RegNet works out its widths with tensors that need values

        def on_cpu(cls: Any, *args: Any, **fields: Any) -> Any:
            with torch.device("cpu"):
                return rule(cls, *args, **fields)

        on_cpu.on_cpu = True  # type: ignore[attr-defined]
        BlockParams.from_init_params = classmethod(on_cpu)
    with torch.device("meta"):
        return make(name, auxiliary)


def state(name: str) -> dict[str, list[int]]:
    """The keys and shapes of a published file, auxiliary heads and counters included."""
    return {key: list(value.shape) for key, value in build(name, auxiliary=True).state_dict().items()}
