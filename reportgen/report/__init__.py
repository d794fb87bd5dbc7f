"""What travels: findings, blocks, sections, the report. Frozen, validated, free of TensorFlow."""
