"""The pages: one view per file."""
