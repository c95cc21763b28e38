"""Models as ONNX files, for other programs, and models out of ONNX files; needs the package onnx (extra [onnx])."""
from cnncore.onnx.reading import load
from cnncore.onnx.writing import export

__all__ = ["export", "load"]
