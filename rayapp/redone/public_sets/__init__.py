"""Public sets as examples of the tasks, for training and for development; the official benchmark files are
`tasks/official`."""
