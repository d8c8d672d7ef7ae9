"""Drawings: a scene of primitives, what lays networks and layers out in it, and what writes it to files."""
