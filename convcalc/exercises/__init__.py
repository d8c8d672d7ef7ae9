"""Worksheets from networks and from single layers, and marking them."""
