"""How a person sees it: machine descriptions and summaries."""
