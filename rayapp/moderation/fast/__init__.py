"""The fast stage of moderation: a trained classifier of a note's text, milliseconds a note."""
