"""Post-training in three stages: recipes, tokens, packed rows, and the TRL trainers. No Ray."""
