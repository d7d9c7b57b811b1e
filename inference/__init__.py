"""Faces in pictures and what their expressions are, without Keras or Gradio."""

import os

# Before onnxruntime is imported, which else writes a device's number into the home folder and sends usage data.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
