"""The rover itself: attitude, traverse, energy."""
