"""The handlers, a module for each part of the menu.

Each asks `operator.desk` and renders a template; what changes something ends in a redirect. Who may
reach them is settled before, in `protect`.
"""
