"""kdistill: distil a cumbersome model into a convenient one, and prove what was gained."""
