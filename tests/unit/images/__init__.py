"""Images from real parts: Debian's registry, a token server, archives made from OCI layouts."""
