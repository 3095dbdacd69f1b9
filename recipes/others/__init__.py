"""Other people's methods, which the tables compare with."""
