"""Moves sets of files from host to host: one program that receives and serves, standard library only.

A set is {name, folder, files: [{path, size, sha256}]}; a file without a sha256 may have a git_sha1 instead. Files are
asked for by their checksum (`GET /files/<key>`, HTTP/1.1 with ranges), so sets that share files share them on the wire.

Roles use the modules `move_files` and `move_stopped`; their documentation is the interface. `control` is what they are
made of, `bundle` writes this package as one file that outlives the module, `agent` is the program:
`python3 -I agent.pyz CONFIG`. config.py says what CONFIG holds.

Promises: nothing is at a final path before its checksum was right; a file is passed on while it still arrives, but its
last byte only after it was verified, so who hands out a whole wrong file has changed it; a host that dies, refuses,
stalls or is slow is passed by; only members with the secret are answered.
"""
