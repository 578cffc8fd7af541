"""Space packets: extraction and reassembly out of frames, walk, headers (CCSDS 133.0-B)."""
