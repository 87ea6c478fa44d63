"""Labels, training and watching of models: a small process that waits, and a short-lived one that works."""
