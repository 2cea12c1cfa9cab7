"""What any long-running process needs: clock, logs, HTTP, an orderly end."""
