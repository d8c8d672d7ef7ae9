"""Exercises from networks and layers, and their marking."""
