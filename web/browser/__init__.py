"""What needs a browser: how long a big report takes to open, the pictures of the pages, and what their tests start."""
