"""What each room's page is made of: the room's figures joined with the controls and the frame of :mod:`widgets`."""
