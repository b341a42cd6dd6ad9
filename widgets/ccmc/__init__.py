"""The page of the room ``ccmc``: its figures, sections and words."""
