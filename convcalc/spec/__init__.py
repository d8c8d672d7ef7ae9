"""The spec language: YAML text in, a Graph out.

reader (events → nodes with marks) → documents (files, extends, vars) → entries (checked layers) → expansion
(blocks, branches, loops → the graph's builder).
"""
