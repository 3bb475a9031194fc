"""One request from history to answer."""
