"""Writes operators.json beside it: operators with weights and fields on small tensors, as PyTorch computes them.

In float64, all dimensions different. `python tests/data/pytorch/make_operators.py` needs torch.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

Fields = dict[str, object]


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape).double()


def module(kind: str, fields: Fields, made: nn.Module, *shape: int) -> dict[str, object]:
    """A module with random weights, on a batch of one."""
    made = made.double()
    weights = {name: numbers(*value.shape) for name, value in made.state_dict().items()}
    made.load_state_dict(weights)
    x = numbers(*shape)
    return case(kind, fields, [x], made(x[None])[0], weights)


def function(
    kind: str, fields: Fields, call: Callable[..., Tensor], *shapes: tuple[int, ...]
) -> dict[str, object]:
    inputs = [numbers(*shape) for shape in shapes]
    return case(kind, fields, inputs, call(*inputs), {})


def case(
    kind: str, fields: Fields, inputs: list[Tensor], output: Tensor, weights: dict[str, Tensor]
) -> dict[str, object]:
    def flat(x: Tensor) -> dict[str, object]:
        return {"shape": list(x.shape), "values": [float(f"{value:.9g}") for value in x.flatten().tolist()]}

    return {
        "kind": kind,
        "fields": fields,
        "inputs": [flat(x) for x in inputs],
        "weights": {name: flat(value) for name, value in weights.items()},
        "output": flat(output),
    }


def sizes_and_places() -> list[dict[str, object]]:
    """Maps of another size, parts of them and margins around them; pools; numbers in another place."""

    def on_batch(
        call: Callable[..., Tensor], *arguments: object, **options: object
    ) -> Callable[[Tensor], Tensor]:
        return lambda x: call(x[None], *arguments, **options)[0]

    resize, pad = functional.interpolate, functional.pad
    both: tuple[tuple[str, str, tuple[int, ...], tuple[int, ...]], ...] = (
        ("bilinear", "linear", (2, 5), (8,)),
        ("bilinear", "bilinear", (2, 3, 5), (7, 2)),
        ("bilinear", "trilinear", (1, 2, 4, 3), (3, 3, 7)),
        ("bicubic", "bicubic", (2, 3, 5), (7, 2)),
    )
    return [
        *(
            function("upsample", {"size": list(size)}, on_batch(resize, size), shape)
            for shape, size in (((2, 5), (8,)), ((2, 3, 5), (7, 2)), ((1, 2, 4, 3), (3, 3, 7)))
        ),
        *(
            function("upsample", {"scale": list(by)}, on_batch(resize, scale_factor=by), shape)
            for shape, by in (((2, 5), (1.3,)), ((2, 3, 5), (2.5, 0.5)), ((1, 2, 4, 3), (2.0, 0.75, 1.5)))
        ),
        *(
            function(
                "upsample",
                {"size": list(size), "mode": mode, "align_corners": corners},
                on_batch(resize, size, mode=theirs, align_corners=corners),
                shape,
            )
            for mode, theirs, shape, size in both
            for corners in (False, True)
        ),
        *(
            function(
                "upsample",
                {"scale": [1.3, 2.5], "mode": mode, "align_corners": corners},
                on_batch(resize, scale_factor=(1.3, 2.5), mode=mode, align_corners=corners),
                (2, 4, 3),
            )
            for mode in ("bilinear", "bicubic")
            for corners in (False, True)
        ),
        *(
            function(
                "pad",
                {"padding": [[1, 3], [0, 2]], "mode": mode},
                on_batch(pad, (0, 2, 1, 3), mode),
                (2, 4, 3),
            )
            for mode in ("reflect", "replicate", "circular")
        ),
        function("pad", {"padding": [[2, 1]], "mode": "reflect"}, on_batch(pad, (2, 1), "reflect"), (3, 4)),
        function(
            "pad",
            {"padding": 0, "channels": [1, 2], "value": 1.5},
            nn.ConstantPad3d((0,) * 4 + (1, 2), 1.5),
            (2, 4, 3),
        ),
        function("adaptive_maxpool", {"size": [2, 4]}, nn.AdaptiveMaxPool2d((2, 4)), (2, 5, 7)),
        function("adaptive_maxpool", {"size": 3}, nn.AdaptiveMaxPool1d(3), (2, 2)),
        function("global_maxpool", {}, nn.AdaptiveMaxPool3d(1), (2, 3, 4, 5)),
        function(
            "avgpool",
            {"kernel": [2, 3], "stride": [1, 2], "padding": [1, 0], "rounding": "ceil", "divisor": 4},
            on_batch(functional.avg_pool2d, (2, 3), (1, 2), (1, 0), True, divisor_override=4),
            (2, 4, 6),
        ),
        function("pixel_shuffle", {"factor": 3}, nn.PixelShuffle(3), (18, 2, 4)),
        function("pixel_unshuffle", {"factor": 2}, nn.PixelUnshuffle(2), (3, 4, 6)),
        function(
            "roll", {"shift": [2, -5], "axis": [-1, 0]}, lambda x: torch.roll(x, (2, -5), (-1, 0)), (3, 2, 5)
        ),
        *(
            function(
                "reduce",
                {"mode": mode, "axis": [-1, 0], "keep": keep},
                lambda x, call=call, keep=keep: call(x, (-1, 0), keepdim=keep),
                (3, 2, 5),
            )
            for mode, call in (
                ("mean", torch.mean),
                ("sum", torch.sum),
                ("max", torch.amax),
                ("min", torch.amin),
            )
            for keep in (False, True)
        ),
        function(
            "slice", {"axis": 1, "start": -4, "stop": -1, "step": 2}, lambda x: x[:, -4:-1:2], (2, 5, 3)
        ),
        function("slice", {"axis": "last", "step": -1}, lambda x: torch.flip(x, (-1,)), (2, 3, 4)),
    ]


def main() -> None:
    torch.manual_seed(11)
    join = (6, 2, 3), (6, 1, 3)
    cases = [
        module("groupnorm", {"groups": 3}, nn.GroupNorm(3, 6), 6, 2, 3),
        module("groupnorm", {"groups": 2, "affine": False, "eps": 0.1}, nn.GroupNorm(2, 4, 0.1, False), 4, 5),
        module("groupnorm", {"groups": 1}, nn.GroupNorm(1, 5), 5),
        module("instancenorm", {}, nn.InstanceNorm2d(4), 4, 2, 3),
        module("instancenorm", {"affine": True, "eps": 0.01}, nn.InstanceNorm1d(3, 0.01, affine=True), 3, 5),
        module("instancenorm", {"affine": True}, nn.InstanceNorm3d(2, affine=True), 2, 3, 4, 1),
        module("layernorm", {"axis": [1, 2]}, nn.LayerNorm((2, 3)), 4, 2, 3),
        module("layernorm", {"axis": [0, 1, 2]}, nn.LayerNorm((4, 2, 3)), 4, 2, 3),
        module(
            "layernorm", {"axis": "last", "affine": False}, nn.LayerNorm(3, elementwise_affine=False), 4, 3
        ),
        module("rmsnorm", {"axis": "last", "eps": 1e-6}, nn.RMSNorm(5, 1e-6), 3, 5),
        module("rmsnorm", {"axis": [-2, -1], "eps": 0.1}, nn.RMSNorm((2, 5), 0.1), 3, 2, 5),
        module("rmsnorm", {"axis": "last", "affine": False, "eps": 0.1}, nn.RMSNorm(4, 0.1, False), 3, 4),
        function("l2norm", {}, lambda x: functional.normalize(x, dim=0), (5, 2, 3)),
        function(
            "l2norm", {"axis": "last", "eps": 2}, lambda x: functional.normalize(x, dim=-1, eps=2), (5, 2, 3)
        ),
        *(
            function("softmax", {"axis": axis}, lambda x, axis=axis: functional.softmax(x, axis), (4, 2, 3))
            for axis in (0, 1, 2, -1)
        ),
        *(
            function("concat", {"axis": axis}, lambda *x, axis=axis: torch.cat(x, axis), *shapes)
            for axis, shapes in (
                (0, ((4, 2, 3), (1, 2, 3), (2, 2, 3))),
                (1, ((4, 2, 3), (4, 5, 3))),
                (-1, ((4, 2, 3), (4, 2, 1), (4, 2, 2))),
            )
        ),
        function("add", {}, torch.add, *join),
        function("subtract", {}, torch.sub, *reversed(join)),
        function("multiply", {}, torch.mul, (6, 1, 3), (1, 2, 3)),
        function("divide", {}, torch.div, *join),
        function("maximum", {}, torch.maximum, *join),
        function("minimum", {}, torch.minimum, (4, 1), (1, 5)),
        function("celu", {"alpha": 0.5}, lambda x: functional.celu(x, 0.5), (3, 5)),
        function("softplus", {"beta": 3, "threshold": 1}, lambda x: functional.softplus(x, 3, 1), (3, 5)),
        function(
            "softplus", {"beta": 2, "threshold": -100}, lambda x: functional.softplus(x, 2, -100), (3, 5)
        ),
        function("clip", {"min": -0.5}, lambda x: torch.clamp(x, min=-0.5), (3, 5)),
        function("clip", {"min": -0.5, "max": 0.25}, nn.Hardtanh(-0.5, 0.25), (3, 5)),
        function("scale", {"value": 0.17}, lambda x: x * 0.17, (3, 5)),
        *sizes_and_places(),
    ]
    text = ",\n ".join(json.dumps(case) for case in cases)
    path = Path(__file__).parent / "operators.json"
    path.write_text(f'{{"torch": "{torch.__version__}", "cases": [\n {text}\n]}}\n')


if __name__ == "__main__":
    main()
