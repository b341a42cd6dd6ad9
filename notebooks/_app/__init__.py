"""The server of the app: who may enter, the gallery, and the checks that fill it."""
