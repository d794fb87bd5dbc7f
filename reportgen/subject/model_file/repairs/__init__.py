"""Named rules that bring what Keras 1 and 2 wrote into the terms of Keras 3."""
