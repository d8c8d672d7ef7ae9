"""The PyTorch form of a layer: the constructor of its module, or an expression in `forward`.

Each operator class has one function, in `activations`, `maps`, `shapes` or `values`. A function sees the layer as a
Site: the operator bound to concrete input shapes, and the source of what a block's parameters set. Layers that PyTorch
has no class for use the helper classes and functions of `helpers`, which are written only into sources that use them.
"""

from __future__ import annotations

from dataclasses import replace

from convcalc.formats.torch.source import activations, maps, shapes, values
from convcalc.formats.torch.source.site import FORMS, REFUSED, Form, InexpressibleError, Site

TABLES = (activations, maps, shapes, values)  # fill FORMS when they are imported

# Operators whose PyTorch form expects a batch axis; a learned tensor gets one for them.
_NEED_BATCH = """
conv deconv batchnorm groupnorm instancenorm lrn maxpool avgpool global_avgpool global_maxpool adaptive_avgpool
adaptive_maxpool upsample pixel_shuffle pixel_unshuffle channel_shuffle attention prelu
"""
NEED_BATCH = frozenset(_NEED_BATCH.split())


def form(site: Site) -> Form:
    """The form of a layer. Raises InexpressibleError for an operator that PyTorch source cannot express."""
    maker = FORMS.get(type(site.op))
    if maker is None:
        reason = REFUSED.get(type(site.op), "it has no form in PyTorch")
        raise InexpressibleError(f"{site.op.kind}: {reason}")
    batched = any(site.batched)
    if site.op.kind in NEED_BATCH and not site.lead:
        site.batched = (True, *site.batched[1:])
        found = maker(site)
        call = (found.call or "{self}({0})").replace("{0}", "{0}.unsqueeze(0)")
        found = replace(found, call=f"{call}.squeeze(0)")
    else:
        found = maker(site)
    return replace(found, stored=dict(site.stored), batched=batched)
