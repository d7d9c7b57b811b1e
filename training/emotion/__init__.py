"""The emotion networks: their data, models, recipes, training and evaluation."""
