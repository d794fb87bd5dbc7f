"""Reading the containers that Keras writes, and following nothing in them."""
