"""From a trained Keras model to the ONNX file that is served."""
