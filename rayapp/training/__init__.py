"""Training jobs as functions: Ray Train around the pure trainers of redrec and redone."""
