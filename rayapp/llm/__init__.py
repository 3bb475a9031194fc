"""Access to language models: prompts, endpoints, adapters, packaged weights."""
