"""RED-Rec (arXiv 2510.14788): cross-scenario user interests. Pure PyTorch and NumPy, no Ray."""
