"""HubSpot objects as their changes add up to them, whatever the order in which those came. Pure."""
