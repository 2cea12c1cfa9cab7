"""The operator's web pages, over `reconciler.operator` alone.

`pages` are the handlers, `protect` decides who may reach them, `login` is how people get in,
`wiring` puts them together from the settings. Rendered on the server; they work without JavaScript.
"""
