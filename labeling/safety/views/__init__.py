"""Pages of the content filter: a project's rules, what was screened, and the filters themselves."""
