"""Time correlation packets."""
