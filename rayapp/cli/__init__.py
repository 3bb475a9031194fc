"""The `rayapp` console script: start, stop, look, load, replay, simulate, models."""
