"""Offline training of the two towers."""
