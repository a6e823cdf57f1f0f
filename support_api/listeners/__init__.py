"""What the world is told when something happens, one file per audience."""
