"""From a trained Keras model to the ONNX file that is served."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # tf2onnx reads TensorFlow graphs
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import inference  # noqa: F401  before onnxruntime is imported, whose sending of usage data it turns off
