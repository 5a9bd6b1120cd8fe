"""Depth from colour alone, by published networks."""
