"""How fast one set of files reaches N hosts, way by way, over links of a known rate; see __main__."""
