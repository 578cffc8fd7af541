"""Data types shared by all rooms: batches, products, errors."""
