"""The driver: site file and catalog in, rendered inventory, runs and reports out."""
