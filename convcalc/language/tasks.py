"""The values of `task`: what networks are for, in the order in which they are listed."""

from __future__ import annotations

TASKS = (
    "classification", "segmentation", "detection", "video", "generation", "superresolution", "audio", "matching",
)  # fmt: skip
