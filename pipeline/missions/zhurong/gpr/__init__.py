"""The ground penetrating radar."""
