"""Images of a site as seen from this machine: what a tag stands for now, and which images nobody needs any more."""
