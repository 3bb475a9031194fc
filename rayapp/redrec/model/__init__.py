"""The two towers: mixing, encodings, heads, artifacts."""
