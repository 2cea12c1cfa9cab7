"""Owns what each entity looks like: the names, types, lengths and references of its fields."""
