"""What every page needs: access control, lists, form fields; knows only the models."""
