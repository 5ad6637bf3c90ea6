"""GPUs of AMD and Intel, from sysfs and KFD."""
