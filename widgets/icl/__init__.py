"""The page of the room ``icl``: its figures, sections and words."""
