"""The interactive explorer."""
