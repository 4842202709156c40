"""Pages and addresses for those who keep the platform running."""
