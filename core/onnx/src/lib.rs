//! Reads ONNX files into runtime networks.
