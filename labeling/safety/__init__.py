"""What filters do to texts, and what people say of them: rules, reports, appeals, labels. Knows no public page."""
