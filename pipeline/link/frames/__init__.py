"""Transfer frames: headers of AOS, TM and USLP (CCSDS 732.0-B, 132.0-B, 732.1-B)."""
