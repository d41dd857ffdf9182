"""What the pages cost: how large a report of many members is and how long it takes to open."""
