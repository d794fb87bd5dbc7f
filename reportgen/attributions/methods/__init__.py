"""The methods, a file a family, each with its definition and its source."""
