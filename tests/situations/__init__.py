"""Situations: what an operator meets, as data in *.yml, each played on a real host of the lab by the product itself."""
