"""Nets in forms that other programs run: `onnx.export_onnx` is the stage."""
