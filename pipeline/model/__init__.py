"""What travels between the rooms: batches, products, errors."""
