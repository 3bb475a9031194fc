"""Search: understanding of queries, relevance, keywords, queries after a note."""
