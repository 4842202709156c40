"""What an administrator runs the platform by: figures for a monitor; knows no pages of others."""
