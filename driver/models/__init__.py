"""The driver's side of models: list them at their sources, pin them in site.lock, fetch them into a cache."""
