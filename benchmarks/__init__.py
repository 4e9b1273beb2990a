"""Speed, measured side by side; one file, one question."""
