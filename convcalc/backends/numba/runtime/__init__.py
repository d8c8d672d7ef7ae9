"""Steps in memory, and the threads that run them."""
