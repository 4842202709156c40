"""Content filters, and what people say of texts. Knows nothing of previews and contests."""
