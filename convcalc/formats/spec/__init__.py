"""A graph written as a readable spec: tree of scopes, branches, blocks with parameters, runs, text."""
