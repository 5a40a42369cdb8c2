"""Transforms as ONNX graphs: a builder, numbers and pictures that live in it, and what can be done to them."""
