"""What several instruments use: images by stripes and strips, noise of spectra."""
