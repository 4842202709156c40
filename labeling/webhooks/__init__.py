"""Events told to programs outside; knows nothing of what the events mean."""
