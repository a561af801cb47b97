"""The report's figures, one a file: plain data in, an SVG out that stands in a page by itself."""
