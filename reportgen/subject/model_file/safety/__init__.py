"""Is it safe: what a network may be made of, and the guards that look for anything else."""
