"""Zhurong, relayed by Tianwen-1: instruments by folder, and the simulator of its passes."""
