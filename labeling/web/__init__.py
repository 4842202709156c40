"""What every page needs: access, lists, charts, fields of forms; knows only the rows."""
