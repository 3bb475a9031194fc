"""Encoders of text and pictures, and the cache of their vectors."""
