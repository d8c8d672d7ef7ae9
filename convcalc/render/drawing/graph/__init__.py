"""The graph of a network from top to bottom: boxes to a scene."""
