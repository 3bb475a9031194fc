"""Text for post-training: sources, filters, deduplication, decontamination, and the search for a mixture."""
