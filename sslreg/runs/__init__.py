"""The runs that were trained: their folders, and what can be done with them."""
