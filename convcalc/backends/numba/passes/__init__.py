"""Passes over the graph, from the network as written to one that runs fast."""
