"""One module per scenario; each has `run(world, scale)`, which answers a `Table`."""
