"""The machinery: what a claim is, how it is judged, what is kept."""
