"""The pages of what filters do, and of what people say of texts: views that know requests and decide nothing."""
