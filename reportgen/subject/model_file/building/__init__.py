"""Building the network and giving it its weights: the only part that imports Keras."""
