"""Nearest items: FAISS snapshots that can be searched while they change."""
