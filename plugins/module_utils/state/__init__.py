"""The one read-only observation of a host, and how it differs from what the inventory wants.

Runs on the host: standard library only, Python 3.7 and newer, and only what starts fast (typing, http.client and
shutil together take longer to load than everything here takes to run).
"""
