"""Experiments: who is in which arm."""
