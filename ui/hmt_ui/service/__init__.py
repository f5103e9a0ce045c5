"""The service of `hmt-qa serve`: REST, OpenAI's form, MCP and the page behind one door; it alone knows FastAPI."""
