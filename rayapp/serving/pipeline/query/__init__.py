"""What the language model adds to a search: reading of the query, order of relevance."""
