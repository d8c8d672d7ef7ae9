"""Weights files, initialisation, and download of published weights."""
