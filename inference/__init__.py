"""Faces in pictures and what their expressions are, without Keras or Gradio."""
