"""Offline and prequential evaluation."""
