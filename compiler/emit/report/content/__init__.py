"""What the report says, gathered from a compiled model as plain data; nothing is drawn here."""
