"""Whether a method's maps may be believed: held against controls, and against random weights."""
