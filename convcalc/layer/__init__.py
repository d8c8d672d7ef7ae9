"""One layer by itself: its size, its matrix, its work step by step."""
