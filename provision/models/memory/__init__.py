"""What an instance of a model must hold: on each GPU and in RAM, part by part. Pure."""
