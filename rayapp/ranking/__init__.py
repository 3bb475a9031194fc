"""From candidates to the list that is shown: slate policies."""
