"""What every layer uses: errors, files, paths, the log of a job, the registry of plugins."""
