"""A system on one machine: its parts, their supervision, and what must be in order before a start."""
