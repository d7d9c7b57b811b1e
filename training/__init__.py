"""How the networks are trained and measured (Keras 3): training.emotion and training.age_gender around what they share."""

import os

# Before Keras loads TensorFlow, which by itself leaves oneDNN's convolutions off on processors that have no AVX-512: they take
# a third less time there too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
