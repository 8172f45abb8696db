"""REST, hooks and the OpenAPI document. Takes a request value, gives an answer value; knows no web framework."""
