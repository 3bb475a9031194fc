"""Moderation of notes: policy, judge, calibration, queue."""
