"""MSCam, the multispectral camera."""
