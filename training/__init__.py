"""FER-2013 data, networks, training and evaluation (Keras 3)."""
