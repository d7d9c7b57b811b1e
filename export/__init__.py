"""From a trained Keras model to the ONNX file that is served."""

import inference  # noqa: F401  before onnxruntime is imported, whose sending of usage data it turns off
