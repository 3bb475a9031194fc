"""Data folders, user sequences, splits, and the generated sample world."""
