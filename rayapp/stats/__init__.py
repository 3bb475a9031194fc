"""Intervals and paired comparisons, each once."""
