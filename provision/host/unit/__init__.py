"""What units call at boot and at each start."""
