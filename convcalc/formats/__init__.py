"""Networks in the files of other tools: read into a graph with its tensors, and written from one."""
