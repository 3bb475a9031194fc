"""Evaluation of RedOne."""
