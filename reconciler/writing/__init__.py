"""What is written to QuickBooks, and what its answers mean for a document. Pure."""
