"""What a methods section needs and only the database knows, frozen into the manifest while an export is built.

It does not know how the section is worded: records.methods writes it from the manifest alone.
"""
