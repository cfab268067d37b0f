/* Stand-in: the interface of the closed driver is not part of this package. */
