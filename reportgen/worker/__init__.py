"""The process that opens and computes: its life, its isolation, and what it does there."""
