"""The online learner's process: windows in, candidates out, and the gate between."""
