"""The contrastive loss and its negatives."""
