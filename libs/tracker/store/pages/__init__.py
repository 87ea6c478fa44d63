"""What the pages read: one module a page, all of it from views of the schema `dashboards`."""
