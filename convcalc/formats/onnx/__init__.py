"""ONNX: reading models and mapping their operators to ours, and writing them."""
