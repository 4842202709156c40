"""What people send to Parley, checked: one form for one action. Forms know rows, never requests."""
