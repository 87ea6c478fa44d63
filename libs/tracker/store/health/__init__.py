"""The facts that the health monitor judges, a module a group, and its findings."""
