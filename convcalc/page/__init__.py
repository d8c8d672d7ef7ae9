"""The page of a network: one HTML file with its drawing, figures, working and script, that loads nothing."""
