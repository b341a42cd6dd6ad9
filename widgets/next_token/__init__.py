"""The page of the room ``next_token``: its figures, sections and words."""
