"""Reading SavedModel folders without TensorFlow."""
