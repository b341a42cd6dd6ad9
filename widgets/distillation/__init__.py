"""The page of the room ``distillation``: its figures, sections and words."""
