"""The age and gender networks: their data, models, recipes, training and evaluation."""
