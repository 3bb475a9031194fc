"""The language model as a Serve application, and clients of it."""
