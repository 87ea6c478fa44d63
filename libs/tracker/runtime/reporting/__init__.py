"""What people are told: when a report is due, what stands in it, and how it is laid out for Slack."""
