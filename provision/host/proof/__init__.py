"""What really runs and stands on disk, against what was applied."""
