"""Online learning: joining, replay, state. No clock, no I/O."""
