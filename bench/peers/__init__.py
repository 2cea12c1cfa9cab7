"""What a user would pick instead, each as good as its documentation teaches. Run as processes."""
