"""What travels between the rooms: batches, products, array layouts, errors."""
