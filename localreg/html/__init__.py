"""HTML and its looks, of reports and of the page: text that cannot break it, colours, the style sheet."""
