"""Topics, windows, reading and writing of the behaviour stream, the embedded broker, replay and simulation."""
