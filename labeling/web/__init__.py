"""What every page needs: access, lists, fields of forms; knows only the rows."""
