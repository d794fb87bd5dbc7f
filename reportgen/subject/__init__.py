"""What is audited: the model file, the samples, the history, and the probe that looks inside."""
