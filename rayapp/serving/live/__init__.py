"""What a replica holds and follows: versions, catalogue, indexes, experiments."""
