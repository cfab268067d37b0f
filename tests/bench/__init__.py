"""Speed, as numbers: what a second run costs against the floor and against a peer."""
