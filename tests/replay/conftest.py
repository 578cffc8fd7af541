"""The bundled passes decoded once, and the simulator's truth of them."""

from decoded_passes import clean, damaged, decode_pass, decoded

__all__ = ["clean", "damaged", "decode_pass", "decoded"]
