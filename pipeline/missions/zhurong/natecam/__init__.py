"""NaTeCam, the navigation and terrain cameras."""
