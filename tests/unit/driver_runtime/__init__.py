"""Tests of the acting half of the driver; no host is needed, a script stands in for ssh."""
