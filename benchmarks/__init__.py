"""Speed and memory, beside what people use otherwise: ``python -m benchmarks NAME``."""
