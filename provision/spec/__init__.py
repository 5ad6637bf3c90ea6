"""The spec: host.yaml to HostSpec, with a place for every value."""
