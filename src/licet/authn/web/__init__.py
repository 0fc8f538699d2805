"""What meets a browser: cookies, pages, JSON for pages, well-known documents."""
