"""The sources of models, asked by their real clients on servers of these tests."""
