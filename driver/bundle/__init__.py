"""Bundles: everything that a site needs in one folder, by sha256, for sites without internet."""
