"""downlink: from the frames that a ground station receives to science products on MQTT topics."""
