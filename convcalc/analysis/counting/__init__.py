"""How parameters, operations and memory are counted, by us and by other tools."""
