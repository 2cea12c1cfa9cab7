"""Which documents an object calls for under the workflows, with which content, or why not. Pure."""
